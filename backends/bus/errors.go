package bus

import "errors"

// A Code says why something was refused, in the words of docs/bus.md.
type Code string

const (
	BadRequest       Code = "bad-request"        // not one of the messages, or a member of the wrong type
	NotSubscribed    Code = "not-subscribed"     // unsubscribe from a topic without a subscription
	TooBig           Code = "too-big"            // more bytes than a limit allows
	TooManyTopics    Code = "too-many-topics"    // of the session, or of the bus
	Forbidden        Code = "forbidden"          // Options.Authorize says no
	Busy             Code = "busy"               // the topic is MaxPending behind, and the caller does not wait
	Slow             Code = "slow"               // the body of an HTTP request took too long
	MethodNotAllowed Code = "method-not-allowed" // HTTP, other than POST
	Internal         Code = "internal"           // our own fault, or the engine's
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

func badRequest(text string) *Error { return &Error{Code: BadRequest, Text: text} }
