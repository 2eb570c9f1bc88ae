package xmpp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

var (
	errNoTLS    = errors.New("the server does not offer STARTTLS")
	errRefused  = errors.New("the server refused STARTTLS")
	errInjected = errors.New("data in clear behind <proceed/>")
	errProtocol = errors.New("not what is due in an XMPP stream")
)

// startTLS brings a connection to the point where TLS begins (RFC 6120 §5.4.2).
// Everything that the server says before is forgotten with the splitter.
func (r *Relay) startTLS(rt *route, conn net.Conn, h header) (Stage, error) {
	in := &reader{conn: conn, limits: &r.limits, timeout: r.opts.StreamTimeout}
	conn.SetWriteDeadline(time.Now().Add(r.opts.WriteTimeout))
	if _, err := conn.Write(h.bytes(rt.domain, false)); err != nil {
		return Stream, err
	}
	if ev, err := in.next(); err != nil {
		return Stream, err
	} else if ev.Kind != xmlframe.Header || !ev.Header.Name.Is(spaceStream, "stream") {
		return Stream, errProtocol
	}
	features, err := in.element()
	if err != nil {
		return Stream, err
	}
	if !features.Name.Is(spaceStream, "features") {
		return Stream, fmt.Errorf("%w: <%s/> for features", errProtocol, features.Name.Local)
	}
	_, offered, err := withoutTLS(features.AppendStandalone(nil), &r.limits)
	if err != nil {
		return Stream, err
	}
	if !offered.tls {
		return TLS, errNoTLS // RFC 7590 §3.1: somebody may have taken it out
	}
	if _, err := conn.Write([]byte("<starttls xmlns='" + spaceTLS + "'/>")); err != nil {
		return Stream, err
	}
	answer, err := in.element()
	switch {
	case err != nil:
		return Stream, err
	case !answer.Name.Is(spaceTLS, "proceed"):
		return TLS, errRefused
	case in.split.Held() > 0:
		// RFC 6120 §5.4.3.3: it came unprotected and would pass for protected.
		return TLS, errInjected
	}
	return "", nil
}

// A reader reads a stream one event at a time, for a negotiation.
type reader struct {
	conn    net.Conn
	limits  *xmlframe.Limits
	timeout time.Duration // for each event
	split   xmlframe.Splitter
}

// next returns the next event that is not white space.
func (in *reader) next() (xmlframe.Event, error) {
	in.split.Limits = in.limits
	in.conn.SetReadDeadline(time.Now().Add(in.timeout))
	for buf := make([]byte, 4096); ; {
		ev, err := in.split.Next()
		if err != nil || ev.Kind != xmlframe.NeedMore && ev.Kind != xmlframe.Space {
			return ev, err
		}
		if ev.Kind == xmlframe.Space {
			continue
		}
		n, err := in.conn.Read(buf)
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return ev, err
		}
		in.split.Feed(buf[:n])
	}
}

// element returns the next element; a stream error is returned as the end
// that it is.
func (in *reader) element() (*xmlframe.Child, error) {
	ev, err := in.next()
	switch {
	case err != nil:
		return nil, err
	case ev.Kind != xmlframe.Stanza:
		return nil, errProtocol
	case ev.Child.Name.Is(spaceStream, "error"):
		return nil, streamError("", ev.Child.AppendStandalone(nil))
	}
	return ev.Child, nil
}

// streamError is the end by a server's stream error, a copy of which goes to
// the client (XEP-0206 §6, RFC 7395 §3.5).
func streamError(stream string, element []byte) *transport.Termination {
	return &transport.Termination{
		Condition: transport.BackendError,
		Text:      "the XMPP server ended the stream with an error",
		Payload:   []transport.Frame{{Stream: stream, Data: element}},
	}
}
