package xmpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

var (
	errNoTLS    = errors.New("the server does not offer STARTTLS")
	errMustTLS  = errors.New("the server insists on TLS")
	errRefused  = errors.New("the server refused STARTTLS")
	errInjected = errors.New("data in clear behind <proceed/>")
	errProtocol = errors.New("not what is due in an XMPP stream")
)

// A link is a connection to a server on which a stream is open, as far as
// clients are to see it.
type link struct {
	net.Conn
	socket *socket // below Conn; nil if it is none
	split  *xmlframe.Splitter
	opened [][]byte // the server's header and its features, for the client
	buf    *buffer  // what split reads; nil while nothing is there
}

// open brings a new connection to where the client begins: with TLS, if there
// is to be any, and the first features that follow.
func (r *Relay) open(ctx context.Context, rt *route, mode TLSMode, raw net.Conn, h header) (*link, Stage, error) {
	raw.SetWriteDeadline(time.Now().Add(r.opts.WriteTimeout))
	if err := r.announce(ctx, rt, raw); err != nil {
		return nil, Stream, err
	}
	l := &link{Conn: raw, socket: newSocket(raw)}
	if l.socket != nil {
		l.Conn = l.socket
	}
	if mode == STARTTLS {
		if stage, err := r.startTLS(rt, l.Conn, h); err != nil {
			return nil, stage, err
		}
	}
	if mode != NoTLS {
		config := rt.tls
		if mode == DirectTLS {
			config = rt.direct
		}
		raw.SetDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(ctx, r.opts.HandshakeTimeout)
		defer cancel()
		conn := tls.Client(l.Conn, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, TLS, err
		}
		l.Conn = conn
	}
	in := r.newNegotiation(l.Conn)
	opened, err := in.begin(rt, h)
	if err != nil {
		in.abandon(err)
		return nil, stageOf(err), err
	}
	raw.SetDeadline(time.Time{})
	l.split, l.opened = in.split, opened
	if l.socket != nil {
		l.socket.patient = true
		if c := r.parent.Adopt(raw); c != nil {
			l.socket.adopted(c)
		}
		if !isTLS(l.Conn) {
			l.Conn = l.socket.Conn
		}
	}
	return l, "", nil
}

// stageOf is TLS for what concerns it, else Stream.
func stageOf(err error) Stage {
	for _, is := range []error{errNoTLS, errMustTLS, errRefused, errInjected} {
		if errors.Is(err, is) {
			return TLS
		}
	}
	return Stream
}

// startTLS brings a connection to the point where TLS begins (RFC 6120 §5.4.2).
// Everything that the server says before is forgotten with the splitter.
func (r *Relay) startTLS(rt *route, conn net.Conn, h header) (Stage, error) {
	in := r.newNegotiation(conn)
	err := in.startTLS(rt, h)
	if err != nil {
		in.abandon(err)
	}
	return stageOf(err), err
}

// A negotiation reads a new stream one event at a time.
type negotiation struct {
	relay *Relay
	conn  net.Conn
	split *xmlframe.Splitter
	buf   [4096]byte
}

func (r *Relay) newNegotiation(conn net.Conn) *negotiation {
	return &negotiation{relay: r, conn: conn, split: &xmlframe.Splitter{Limits: &r.limits}}
}

func (in *negotiation) write(p []byte) error {
	in.conn.SetWriteDeadline(time.Now().Add(in.relay.opts.WriteTimeout))
	_, err := in.conn.Write(p)
	return err
}

// startTLS asks for TLS.
func (in *negotiation) startTLS(rt *route, h header) error {
	if err := in.write(h.bytes(rt.domain, false)); err != nil {
		return err
	}
	if _, err := in.header(); err != nil {
		return err
	}
	_, offered, err := in.features()
	if err != nil {
		return err
	}
	if !offered.tls {
		return errNoTLS // RFC 7590 §3.1: somebody may have taken it out
	}
	if err := in.write([]byte("<starttls xmlns='" + spaceTLS + "'/>")); err != nil {
		return err
	}
	answer, err := in.element()
	switch {
	case err != nil:
		return err
	case !answer.Name.Is(spaceTLS, "proceed"):
		return errRefused
	case in.split.Held() > 0:
		// RFC 6120 §5.4.3.3: it came unprotected and would pass for protected.
		return errInjected
	}
	return nil
}

// begin opens the stream that the client is to see, and returns its header and
// its features.
func (in *negotiation) begin(rt *route, h header) ([][]byte, error) {
	if err := in.write(h.bytes(rt.domain, isTLS(in.conn))); err != nil {
		return nil, err
	}
	head, err := in.header()
	if err != nil {
		return nil, err
	}
	opened := [][]byte{openFrame(head)}
	if !modern(head) {
		return opened, nil
	}
	features, offered, err := in.features()
	switch {
	case err != nil:
		return nil, err
	case !isTLS(in.conn) && (offered.required || offered.only):
		// RFC 6120 §5.3.1, §4.3.2: TLS is a must, and empty features would say
		// that negotiation is complete.
		return nil, errMustTLS
	}
	return append(opened, features), nil
}

// caller returns the connection below, if that waits without a goroutine and never
// blocks who writes; else nil.
func (l *link) caller() park.Caller {
	if l.socket == nil {
		return nil
	}
	return l.socket.caller
}

// modern reports whether features follow a header (RFC 6120 §4.7.5).
func modern(head *xmlframe.Element) bool {
	_, ok := head.Attr("", "version")
	return ok
}

// next returns the next event that is not white space.
func (in *negotiation) next() (xmlframe.Event, error) {
	in.conn.SetReadDeadline(time.Now().Add(in.relay.opts.StreamTimeout))
	for {
		ev, err := in.split.Next()
		switch {
		case err != nil || ev.Kind != xmlframe.NeedMore && ev.Kind != xmlframe.Space:
			return ev, err
		case ev.Kind == xmlframe.Space:
			continue
		}
		n, err := in.conn.Read(in.buf[:])
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return ev, err
		}
		in.split.Feed(in.buf[:n])
	}
}

func (in *negotiation) header() (*xmlframe.Element, error) {
	ev, err := in.next()
	switch {
	case err != nil:
		return nil, err
	case ev.Kind != xmlframe.Header || !ev.Header.Name.Is(spaceStream, "stream"):
		return nil, errProtocol
	}
	return ev.Header, nil
}

// element returns the next element; a stream error is an error.
func (in *negotiation) element() (*xmlframe.Child, error) {
	ev, err := in.next()
	switch {
	case err != nil:
		return nil, err
	case ev.Kind == xmlframe.End:
		return nil, io.EOF
	case ev.Kind != xmlframe.Stanza:
		return nil, errProtocol
	case ev.Child.Name.Is(spaceStream, "error"):
		return nil, newServerError(ev.Child.AppendStandalone(nil))
	}
	return ev.Child, nil
}

func (in *negotiation) features() ([]byte, offer, error) {
	e, err := in.element()
	if err != nil {
		return nil, offer{}, err
	}
	if !e.Name.Is(spaceStream, "features") {
		return nil, offer{}, fmt.Errorf("%w: <%s/> for features", errProtocol, e.Name.Local)
	}
	return forClients(e.AppendStandalone(nil), &in.relay.limits)
}

// abandon ends a stream that did not come about. RFC 6120 §4.9.1.1: the server
// is told what it did wrong, and a stream is closed after an error of its own.
func (in *negotiation) abandon(err error) {
	var said *serverError
	text := complaint(err)
	if text == nil && errors.As(err, &said) {
		text = []byte(endTag)
	}
	if text != nil {
		in.conn.SetWriteDeadline(time.Now().Add(in.relay.opts.CloseTimeout))
		in.conn.Write(text)
	}
}

// complaint is the stream error and the end that a server gets for what it
// sent; nil: it broke no rule.
func complaint(err error) []byte {
	var condition string
	switch kind := xmlframe.KindOf(err); {
	case errors.Is(err, errProtocol):
		condition = "invalid-xml"
	case kind == 0, kind == xmlframe.Incomplete:
		return nil
	case kind == xmlframe.Restricted:
		condition = "restricted-xml"
	case kind.Limit():
		condition = "policy-violation"
	default:
		condition = "not-well-formed"
	}
	return []byte(ownError(condition) + endTag)
}

func ownError(condition string) string {
	return "<stream:error><" + condition + " xmlns='" + spaceErrors + "'/></stream:error>"
}

func isTLS(c net.Conn) bool {
	_, ok := c.(*tls.Conn)
	return ok
}
