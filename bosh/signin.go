package bosh

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/transport"
)

// signIn returns the context of a request, with who its client is if it brings
// a token.
func (h *Handler) signIn(r *http.Request) (context.Context, error) {
	token := bearer.Token(r.Header)
	if token == "" || h.opts.SignIn == nil {
		return r.Context(), nil
	}
	return h.opts.SignIn(r.Context(), token)
}

// notSignedIn answers a client whose token is no good. The binding has no word
// for it, but HTTP has.
func (h *Handler) notSignedIn(w http.ResponseWriter, r *http.Request, p transport.Params, err error) {
	if errors.Is(err, context.Canceled) {
		abort()
	}
	status := http.StatusServiceUnavailable
	var t *transport.Termination
	if errors.As(err, &t) {
		h.violation(r, t.Text)
		switch t.Condition {
		case transport.Unauthorized, transport.Expired:
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 §3
		case transport.Policy:
			status = http.StatusForbidden
		}
	}
	if fast := new(transport.TooFast); errors.As(err, &fast) {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int((fast.After+time.Second-1)/time.Second)))
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	h.write(w, askerOf(r), status, p.Attrs[attrContent], terminal(policyViolation))
}
