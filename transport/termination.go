package transport

import (
	"errors"
	"fmt"
	"time"
)

// A Condition says why a session or a stream ended. Each carrier spells it in
// its protocol's own words.
type Condition string

const (
	Normal       Condition = "normal"        // one side was done
	Inactive     Condition = "inactive"      // the client was silent for too long
	Unauthorized Condition = "unauthorized"  // the client did not prove who it is
	Expired      Condition = "expired"       // its permission ran out
	BadRequest   Condition = "bad-request"   // the client broke the syntax
	OutOfWindow  Condition = "out-of-window" // a number outside the window, or no longer replayable
	Policy       Condition = "policy"        // the client broke a rule or a limit
	TooBig       Condition = "too-big"       // more bytes than allowed
	Overflow     Condition = "overflow"      // the client read too slowly
	HostUnknown  Condition = "host-unknown"  // no backend of that name
	HostGone     Condition = "host-gone"     // a backend of that name was there, and is no longer
	Unreachable  Condition = "unreachable"   // the backend's server cannot be reached
	BackendError Condition = "backend-error" // the backend ended with an error
	Moved        Condition = "moved"         // go on at Termination.URI
	Shutdown     Condition = "shutdown"      // the server is going down
	Internal     Condition = "internal"      // our own fault
)

// Retry reports whether a client may come back, with a new session, after
// this condition, without a person's help.
func (c Condition) Retry() bool {
	switch c {
	case Normal, Unauthorized, BadRequest, HostUnknown, HostGone:
		return false
	}
	return true
}

// A Termination is the end of a session or a stream. It is an error, so that
// errors.As finds it wherever a call fails because the session is over.
type Termination struct {
	Condition Condition
	// Text is for people; it may be shown to the client.
	Text string
	// URI is where to go on, with Moved.
	URI string
	// Payload is what the backend has to say last, in its own format.
	Payload []Frame
	// ByClient says that the client ended it.
	ByClient bool
	// Err is the cause, for logs; it is never shown to the client.
	Err error
}

// Error implements error.
func (t *Termination) Error() string {
	s := "transport: ended: " + string(t.Condition)
	if t.Text != "" {
		s += ": " + t.Text
	}
	if t.Err != nil {
		s = fmt.Sprintf("%s: %v", s, t.Err)
	}
	return s
}

// Unwrap returns the cause.
func (t *Termination) Unwrap() error { return t.Err }

// A TooFast error means that a client tries again and again what fails. It may try
// once more after a while; the text may be shown to it.
type TooFast struct {
	After time.Duration
	Text  string
}

// Error implements error.
func (e *TooFast) Error() string { return "transport: too fast: " + e.Text }

// terminationOf makes a termination of a backend's error. Nil is a normal end.
func terminationOf(err error) *Termination {
	var t *Termination
	switch {
	case err == nil:
		return &Termination{Condition: Normal}
	case errors.As(err, &t):
		return t
	}
	return &Termination{Condition: BackendError, Err: err}
}

var (
	// ErrNoSession means that no session has this id: it never existed, or
	// its end is so long ago that it is forgotten.
	ErrNoSession = errors.New("transport: no such session")
	// ErrWindow means that a request number lies above the window.
	ErrWindow = errors.New("transport: request number above the window")
	// ErrTooManyRequests means that the client has more requests open than it
	// may.
	ErrTooManyRequests = errors.New("transport: too many requests at once")
	// ErrGone means that the client asks for what was already released: an
	// answer that is no longer kept, or frames that it had acknowledged.
	ErrGone = errors.New("transport: already released")
	// ErrAhead means that the client acknowledges frames never sent to it.
	ErrAhead = errors.New("transport: acknowledged what was never sent")
	// ErrReplaced means that a newer connection took over.
	ErrReplaced = errors.New("transport: replaced by a newer connection")
	// ErrFull means that a queue's byte budget is spent for now.
	ErrFull = errors.New("transport: queue full")
	// ErrStreamExists means that the session has an open stream of this name.
	ErrStreamExists = errors.New("transport: stream exists")
	// ErrStreamClosed means that the stream was closed before.
	ErrStreamClosed = errors.New("transport: stream closed")
	// ErrTooManySessions means that Options.MaxSessions is reached.
	ErrTooManySessions = errors.New("transport: too many sessions")
	// ErrClientLimit means that this client has too many sessions, or makes
	// them too fast: what Options.Admit returns then.
	ErrClientLimit = errors.New("transport: too many sessions of one client")
	// ErrTooManyStreams means that Options.MaxStreams is reached.
	ErrTooManyStreams = errors.New("transport: too many streams in the session")
)
