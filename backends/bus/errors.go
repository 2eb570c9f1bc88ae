package bus

import (
	"errors"

	"github.com/mochibosh/mochibosh/transport"
)

// A Code says why something was refused, in the words of docs/bus.md.
type Code string

const (
	BadRequest    Code = "bad-request"     // not one of the messages, or a member of the wrong type
	NotSubscribed Code = "not-subscribed"  // unsubscribe from a topic without a subscription
	TooBig        Code = "too-big"         // more bytes than a limit allows
	TooFast       Code = "too-fast"        // more messages than the topic's rate allows one client, or too many tokens that are none
	TooManyTopics Code = "too-many-topics" // of the session, or of the bus
	UnknownTopic  Code = "unknown-topic"   // no rule is for it, and Options.OnlyKnown
	Unauthorized  Code = "unauthorized"    // the token is missing, or no good one
	Expired       Code = "expired"         // it was good once
	Forbidden     Code = "forbidden"       // Options.Guard, Options.Authorize or the topic's rule says no
	Unavailable   Code = "unavailable"     // it cannot be found out now what is allowed
	Busy          Code = "busy"            // the topic is MaxPending behind, and the caller does not wait
	Internal      Code = "internal"        // our own fault, or the engine's
)

// An Error is a refusal. All errors of the package are of this type, or are
// the context's.
type Error struct {
	Code Code
	// Text is for people; the client sees it.
	Text string
	// Err is the cause; the client does not see it.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	s := "bus: " + string(e.Code) + ": " + e.Text
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refusal makes an Error of any error; what is not one already is Internal.
func refusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Text: "the server failed", Err: err}
}

// isUnavailable reports whether an engine could not be reached: it may be soon.
func isUnavailable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == Unavailable
}

// denied is what a guard refuses, as an Error.
func denied(err error) *Error {
	e := &Error{Code: Internal, Text: "the server failed", Err: err}
	var t *transport.Termination
	if !errors.As(err, &t) {
		return e
	}
	e.Text = t.Text
	if errors.As(err, new(*transport.TooFast)) {
		e.Code = TooFast
		return e
	}
	switch t.Condition {
	case transport.Unauthorized:
		e.Code = Unauthorized
	case transport.Expired:
		e.Code = Expired
	case transport.Policy:
		e.Code = Forbidden
	case transport.Unreachable:
		e.Code = Unavailable
	}
	return e
}

// passes reports whether an engine may do later, or in another process, what it could
// not do now.
func passes(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == Unavailable || e.Code == Busy || e.Code == TooManyTopics)
}

func badRequest(text string) *Error { return &Error{Code: BadRequest, Text: text} }
