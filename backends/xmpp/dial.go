package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// connect returns a connection to the server of the route, with TLS if there
// is to be any. RFC 6120 §3.2.1: the places are tried in turn. The error is an
// *Error of the last, or the server's own *transport.Termination.
func (r *Relay) connect(ctx context.Context, rt *route, h header) (net.Conn, error) {
	places, err := r.endpoints(ctx, rt)
	if err != nil {
		return nil, &Error{Stage: DNS, Domain: rt.domain, Err: err}
	}
	for _, place := range places {
		var conn net.Conn
		if conn, err = r.try(ctx, rt, place, h); err == nil {
			return conn, nil
		}
		var t *transport.Termination
		if ctx.Err() != nil || errors.As(err, &t) {
			break
		}
		r.opts.Logger.Warn("xmpp: no connection", "domain", rt.domain, "addr", place.addr, "error", err)
	}
	return nil, err
}

// try connects to one place.
func (r *Relay) try(ctx context.Context, rt *route, place endpoint, h header) (net.Conn, error) {
	fail := func(stage Stage, err error) error {
		return &Error{Stage: stage, Domain: rt.domain, Addr: place.addr, Err: err}
	}
	dialCtx, cancel := context.WithTimeout(ctx, r.opts.ConnectTimeout)
	defer cancel()
	raw, err := r.opts.Dial(dialCtx, "tcp", place.addr)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return nil, fail(DNS, err)
		}
		return nil, fail(Connect, err)
	}
	// The end of the session ends the negotiation too.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, stage, err := r.secure(ctx, rt, place.mode, raw, h)
	if !stop() && err == nil {
		stage, err = Connect, ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, fail(stage, err)
	}
	return conn, nil
}

// secure does what the mode asks for.
func (r *Relay) secure(ctx context.Context, rt *route, mode TLSMode, raw net.Conn, h header) (net.Conn, Stage, error) {
	if mode == NoTLS {
		return raw, "", nil
	}
	config := rt.tls
	if mode == DirectTLS {
		config = config.Clone()
		config.NextProtos = []string{"xmpp-client"} // XEP-0368 §3
	} else if stage, err := r.startTLS(rt, raw, h); err != nil {
		return nil, stage, err
	}
	raw.SetDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(ctx, r.opts.HandshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, TLS, err
	}
	return conn, "", nil
}
