package xmpp

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// How long to wait before a server is tried again: twice as long each time.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// maxHops is how often a stream follows a server's see-other-host. RFC 6120
// §4.9.3.19: an endless loop is to be broken.
const maxHops = 3

// connect opens a stream to the server of the route, as far as the client is
// to see it. A server that seems to be away only for a moment gets some time.
// The error is an *Error of the last try, or a *serverError.
func (r *Relay) connect(ctx context.Context, rt *route, h header) (*link, error) {
	start := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		l, err := r.search(ctx, rt, h)
		if err == nil {
			r.opts.Trace.opened(rt.domain, time.Since(start))
			return l, nil
		}
		wait := pause/2 + rand.N(pause/2) // not all streams at once
		if !transient(err) || time.Since(start)+wait > r.opts.RetryFor {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// search looks up the places of the route and tries them, and those where they
// send it.
func (r *Relay) search(ctx context.Context, rt *route, h header) (*link, error) {
	domain, places, err := rt.domain, []endpoint(nil), error(nil)
	for hop := 0; ; hop++ {
		if hop == 0 {
			places, err = r.endpoints(ctx, rt)
		} else {
			places, err = r.elsewhere(ctx, rt, domain)
		}
		if err != nil {
			fault := &Error{Stage: DNS, Domain: rt.domain, Err: err}
			r.failed(ctx, fault)
			return nil, fault
		}
		l, err := r.first(ctx, rt, places, h)
		var other *serverError
		if !errors.As(err, &other) || other.host == "" || hop == maxHops {
			return l, err
		}
		domain = other.host
	}
}

// first tries places in turn (RFC 6120 §3.2.1). What a server says itself is
// the answer, unless it is about to go down.
func (r *Relay) first(ctx context.Context, rt *route, places []endpoint, h header) (l *link, err error) {
	for _, place := range places {
		if l, err = r.try(ctx, rt, place, h); err == nil {
			return l, nil
		}
		r.failed(ctx, err)
		var said *serverError
		if ctx.Err() != nil || errors.As(err, &said) && !transient(err) {
			break
		}
	}
	return nil, err
}

// failed makes a try known that failed by itself.
func (r *Relay) failed(ctx context.Context, err error) {
	var fault *Error
	if ctx.Err() == nil && errors.As(err, &fault) {
		r.opts.Logger.Debug("xmpp: a try failed", "domain", fault.Domain, "addr", fault.Addr, "stage", fault.Stage, "error", fault.Err)
		r.opts.Trace.fault(fault)
	}
}

// transient reports whether the next try may fare better: nobody answered, or
// the server went away. Certificates, refusals and nonsense stay what they are.
func transient(err error) bool {
	var said *serverError
	var fault *Error
	var dns *net.DNSError
	switch {
	case errors.As(err, &said):
		return said.condition == "system-shutdown"
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	case errors.As(err, &fault) && fault.Stage == Connect:
		return true
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// try opens a stream at one place.
func (r *Relay) try(ctx context.Context, rt *route, place endpoint, h header) (*link, error) {
	fail := func(stage Stage, err error) error {
		var said *serverError
		if errors.As(err, &said) {
			return said
		}
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
	l, stage, err := r.open(ctx, rt, place.mode, raw, h)
	if !stop() && err == nil {
		stage, err = Connect, ctx.Err()
	}
	if err != nil {
		raw.Close()
		return nil, fail(stage, err)
	}
	return l, nil
}
