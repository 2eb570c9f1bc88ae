package auth

import "errors"

// Trace is told what a [Guard] decides; nil fields are skipped. The functions are
// called concurrently, and must not block.
type Trace struct {
	// SignedIn is called for each client that signs in, or brings a newer token:
	// with who it is, or with why it is refused. A user who is "" is nobody in
	// particular.
	SignedIn func(user string, refused Code)
	// Refused is called for each operation that is refused.
	Refused func(c Capability, reason Code)
}

func (t *Trace) signedIn(p *Principal, err error) {
	switch {
	case t.SignedIn == nil:
	case err != nil:
		t.SignedIn("", codeOf(err))
	default:
		t.SignedIn(p.User, "")
	}
}

func (t *Trace) refused(c Capability, err error) {
	if t.Refused != nil {
		t.Refused(c, codeOf(err))
	}
}

// codeOf returns why something was refused; what says nothing of that could not be
// found out.
func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unavailable
}
