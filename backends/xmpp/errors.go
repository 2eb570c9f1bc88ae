package xmpp

import (
	"errors"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A Stage says how far the way to the server went.
type Stage string

const (
	DNS     Stage = "dns"     // no address of a server is known
	Connect Stage = "connect" // nobody answers there
	TLS     Stage = "tls"     // no secure connection came about
	Stream  Stage = "stream"  // the connection was lost, or the server broke the protocol
)

// texts are what clients are told: the stage, no address.
var texts = map[Stage]string{
	DNS:     "the domain's XMPP server is not to be found in the DNS",
	Connect: "the XMPP server cannot be connected to",
	TLS:     "unable to connect securely to the XMPP server",
	Stream:  "the stream to the XMPP server broke",
}

// An Error is why a server cannot be reached, or no longer. It is the Err of
// a [transport.Termination] with Unreachable.
type Error struct {
	Stage  Stage
	Domain string
	// Addr is what was connected to, or would have been; may be empty.
	Addr string
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	s := "xmpp: " + e.Domain
	if e.Addr != "" {
		s += " at " + e.Addr
	}
	return s + ": " + string(e.Stage) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// endOf makes a termination of what went wrong with the server.
func endOf(err error) *transport.Termination {
	var said *serverError
	if errors.As(err, &said) {
		return said.termination()
	}
	t := &transport.Termination{Condition: transport.Unreachable, Text: texts[Stream], Err: err}
	var e *Error
	if errors.As(err, &e) {
		t.Text = texts[e.Stage]
	}
	return t
}

// refused makes a termination of what is wrong with a frame of the client.
func refused(err error) *transport.Termination {
	t := &transport.Termination{Condition: transport.BadRequest, Text: "not one well-formed element", Err: err}
	switch kind := xmlframe.KindOf(err); {
	case kind == xmlframe.TooBig:
		t.Condition, t.Text = transport.TooBig, "the element is too big"
	case kind == xmlframe.Restricted:
		t.Text = "XML that XMPP does not allow" // RFC 6120 §11.1
	case kind.Limit():
		t.Condition, t.Text = transport.Policy, "the element is too complex"
	}
	return t
}
