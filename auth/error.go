package auth

import (
	"errors"

	"github.com/mochibosh/mochibosh/transport"
)

// A Code says why somebody was refused.
type Code string

const (
	Unauthorized Code = "unauthorized" // the token is missing, or no good one
	Expired      Code = "expired"      // it was good once
	Forbidden    Code = "forbidden"    // it is good, but not for this
	Unavailable  Code = "unavailable"  // nobody could be asked; later
	TooMany      Code = "too-many"     // too many sign-ins have failed; later
)

// An Error is a refusal.
type Error struct {
	Code Code
	// Text is for people; the client sees it.
	Text string
	// Err is the cause; the client does not see it.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	s := "auth: " + string(e.Code) + ": " + e.Text
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var conditions = map[Code]transport.Condition{
	Unauthorized: transport.Unauthorized,
	Expired:      transport.Expired,
	Forbidden:    transport.Policy,
	Unavailable:  transport.Unreachable,
	TooMany:      transport.Policy,
}

// termination says it in the words of the session core, which carriers and
// backends understand.
func termination(err error) *transport.Termination {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: Unavailable, Text: "who you are cannot be checked now", Err: err}
	}
	return &transport.Termination{Condition: conditions[e.Code], Text: e.Text, Err: e}
}
