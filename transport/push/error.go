package push

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mochibosh/mochibosh/internal/reqbody"
	"github.com/mochibosh/mochibosh/transport"
)

// Code is a code of section 7.
type Code string

const (
	BadRequest       Code = "bad-request"
	Unauthorized     Code = "unauthorized"
	Expired          Code = "expired"
	Forbidden        Code = "forbidden"
	NotFound         Code = "not-found"
	MethodNotAllowed Code = "method-not-allowed"
	Slow             Code = "slow"
	Window           Code = "window"
	Ahead            Code = "ahead"
	Replaced         Code = "replaced"
	Gone             Code = "gone"
	TooBig           Code = "too-big"
	Unavailable      Code = "unavailable"
	TooMany          Code = "too-many"
	Internal         Code = "internal"
)

var statuses = map[Code]int{
	BadRequest:       http.StatusBadRequest,
	Unauthorized:     http.StatusUnauthorized,
	Expired:          http.StatusUnauthorized,
	Forbidden:        http.StatusForbidden,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Slow:             http.StatusRequestTimeout,
	Window:           http.StatusConflict,
	Ahead:            http.StatusConflict,
	Replaced:         http.StatusConflict,
	Gone:             http.StatusGone,
	TooBig:           http.StatusRequestEntityTooLarge,
	Unavailable:      http.StatusServiceUnavailable,
	TooMany:          http.StatusTooManyRequests,
	Internal:         http.StatusInternalServerError,
}

// Error is a refusal in push.v1's own terms.
type Error struct {
	Code    Code
	Message string
	Ack     uint64        // with Window: what was accepted
	After   time.Duration // with Unavailable and TooMany: when to come back; zero: not known
}

// Error implements error.
func (e *Error) Error() string { return "push: " + string(e.Code) + ": " + e.Message }

// Status returns the HTTP status that goes with the code.
func (e *Error) Status() int { return statuses[e.Code] }

// Append appends the object that tells the client.
func (e *Error) Append(dst []byte) []byte {
	w := writer{dst: append(dst, '{')}
	if e.Code == Window {
		w.number("ack", e.Ack)
	}
	w.name("error")
	in := writer{dst: append(w.dst, '{')}
	in.string("code", string(e.Code))
	in.string("message", e.Message)
	return append(in.dst, '}', '}')
}

func badRequest(message string) *Error { return &Error{Code: BadRequest, Message: message} }

// suspended tells a client to come back.
func suspended(after time.Duration) *Error {
	return &Error{Code: Unavailable, Message: "the server is restarted", After: after}
}

// notFound tells of an error of a look-up. Where sessions are kept nobody may
// answer: then it is not said that there is none.
func notFound(err error) error {
	if e := errorOf(err); e.Code == Internal {
		return fmt.Errorf("%w: %w", &Error{Code: Unavailable, Message: "sessions cannot be found just now", After: time.Second}, err)
	}
	return err
}

// errorOf translates what the session core and the body reader say.
func errorOf(err error) *Error {
	var own *Error
	var away *transport.Suspended
	var owned *transport.Owned
	var fast *transport.TooFast
	var end *transport.Termination
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &away):
		return suspended(away.After)
	case errors.As(err, &owned), errors.Is(err, transport.ErrFixed), errors.Is(err, transport.ErrConflict):
		return &Error{Code: Unavailable, Message: "another server has the session", After: time.Second}
	case errors.Is(err, transport.ErrNoSession):
		return &Error{Code: Gone, Message: "no such session"}
	case errors.Is(err, transport.ErrGone):
		return &Error{Code: Gone, Message: "messages after this acknowledgement were released"}
	case errors.Is(err, transport.ErrAhead):
		return &Error{Code: Ahead, Message: "acknowledged what was never sent"}
	case errors.Is(err, transport.ErrWindow):
		return &Error{Code: Window, Message: "message number above the window"}
	case errors.Is(err, transport.ErrReplaced):
		return &Error{Code: Replaced, Message: "attach is not above all before"}
	case errors.Is(err, transport.ErrTooManySessions):
		return &Error{Code: Unavailable, Message: "too many sessions"}
	case errors.Is(err, transport.ErrNoMemory):
		return &Error{Code: Unavailable, Message: "short of memory"}
	case errors.Is(err, transport.ErrClientLimit):
		return &Error{Code: TooMany, Message: "too many sessions of yours"}
	case errors.As(err, &fast):
		return &Error{Code: TooMany, Message: fast.Text, After: fast.After}
	case errors.Is(err, reqbody.ErrTooBig):
		return &Error{Code: TooBig, Message: err.Error()}
	case errors.Is(err, reqbody.ErrSlow):
		return &Error{Code: Slow, Message: err.Error()}
	case errors.As(err, &end):
		return errorOfEnd(end)
	}
	return &Error{Code: Internal, Message: "the server failed"}
}

// errorOfEnd translates why a session could not begin.
func errorOfEnd(t *transport.Termination) *Error {
	e := &Error{Code: Internal, Message: t.Text}
	switch t.Condition {
	case transport.HostUnknown, transport.HostGone:
		e.Code = NotFound
	case transport.Unauthorized:
		e.Code = Unauthorized
	case transport.Expired:
		e.Code = Expired
	case transport.Policy:
		e.Code = Forbidden
	case transport.Shutdown, transport.Unreachable:
		e.Code = Unavailable
	}
	if e.Message == "" {
		e.Message = string(t.Condition)
	}
	return e
}
