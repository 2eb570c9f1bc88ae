package push

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/internal/jsondepth"
	"github.com/mochibosh/mochibosh/internal/reqbody"
	"github.com/mochibosh/mochibosh/transport"
)

// Admit checks the method and the page's origin, sets the headers that every
// answer has, and answers preflight requests. It reports whether to go on.
func (e *Endpoint) Admit(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	allow := "OPTIONS"
	known := false
	for _, m := range methods {
		allow = m + ", " + allow
		known = known || m == r.Method
	}
	if r.Method == http.MethodOptions {
		e.origins.Preflight(w, r, allow)
		return false
	}
	h := w.Header()
	e.origins.SetHeaders(h, r)
	h["Cache-Control"] = noStore
	if !known {
		h.Set("Allow", allow)
		e.Refuse(w, e.refuse(&Error{Code: MethodNotAllowed, Message: r.Method + " is not for this address"}))
		return false
	}
	if !e.origins.Allows(r) {
		e.Refuse(w, e.refuse(&Error{Code: Forbidden, Message: "pages of this origin may not connect"}))
		return false
	}
	return true
}

// Shared values: a header line costs no allocation then.
var (
	noStore     = []string{"no-store"}
	contentJSON = []string{"application/json"}
	nosniff     = []string{"nosniff"}
)

// Read reads the object in a request's body.
func (e *Endpoint) Read(w http.ResponseWriter, r *http.Request) (*Object, error) {
	body, err := reqbody.Read(w, r, reqbody.Limits{Max: e.opts.MaxBody, Timeout: e.opts.BodyTimeout, Rate: e.opts.BodyRate})
	if err != nil {
		w.Header().Set("Connection", "close") // the rest of the body is not read
		if errors.Is(err, reqbody.ErrSlow) || errors.Is(err, reqbody.ErrTooBig) {
			return nil, e.refuse(err)
		}
		return nil, e.refuse(badRequest("the body did not arrive"))
	}
	if e.opts.Forward != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	o, err := e.Parse(body)
	if err != nil {
		return nil, e.refuse(err)
	}
	if o.Session == "" && o.Token == "" {
		o.Token = bearer.Token(r.Header) // with a session it would be the key
	}
	return o, nil
}

// Parse is [Parse] of what does not nest too deep.
func (e *Endpoint) Parse(data []byte) (*Object, error) {
	if jsondepth.Exceeds(data, e.opts.MaxDepth) {
		return nil, badRequest("nested too deep, more than " + strconv.Itoa(e.opts.MaxDepth) + " levels")
	}
	return Parse(data)
}

// Write answers with an object.
func (e *Endpoint) Write(w http.ResponseWriter, status int, object []byte) {
	h := w.Header()
	h["Content-Type"] = contentJSON
	h["X-Content-Type-Options"] = nosniff
	h["Content-Length"] = []string{strconv.Itoa(len(object))}
	// The server's own write time-out counts from the request, which may
	// have been held since; writers without deadlines do without.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(e.opts.WriteTimeout))
	w.WriteHeader(status)
	_, _ = w.Write(object) // a client that is gone asks again
}

// WriteAnswer answers a poll.
func (e *Endpoint) WriteAnswer(w http.ResponseWriter, r transport.Response) {
	if r.Later > 0 {
		e.Refuse(w, suspended(r.Later))
		return
	}
	e.Write(w, http.StatusOK, AppendAnswer(nil, r, true))
}

// Fail answers a request that was not served: another process that has its
// session does, or it is refused.
func (e *Endpoint) Fail(w http.ResponseWriter, r *http.Request, err error) {
	var owned *transport.Owned
	if errors.As(err, &owned) && e.opts.Forward != nil {
		e.opts.Forward(w, r, owned.By)
		return
	}
	e.Refuse(w, err)
}

// Refuse answers with an error, unless it is that the client went away.
func (e *Endpoint) Refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	refusal := errorOf(err)
	switch refusal.Code {
	case Unauthorized, Expired: // RFC 6750 §3
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	case Unavailable:
		w.Header().Set("Retry-After", refusal.retryAfter(5*time.Second))
	case TooMany:
		w.Header().Set("Retry-After", refusal.retryAfter(time.Minute))
	}
	e.Write(w, refusal.Status(), refusal.Append(nil))
}

// retryAfter returns the seconds of the header, rounded up.
func (e *Error) retryAfter(or time.Duration) string {
	after := e.After
	if after <= 0 {
		after = or
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}
