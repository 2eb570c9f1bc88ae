package bosh

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/internal/reqbody"
	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A Handler serves BOSH at any path that it is put on. It may be used by many
// goroutines at once.
type Handler struct {
	manager *transport.Manager
	opts    Options
	limits  xmlframe.Limits
	renames []xmlframe.Rename // of what payloads inherit
	origins origin.Policy
	agreed  agreed
}

// NewHandler returns a handler whose sessions are the manager's. Nil options
// are the defaults.
func NewHandler(m *transport.Manager, opts *Options) *Handler {
	h := &Handler{manager: m, opts: opts.withDefaults()}
	h.limits = xmlframe.Limits{
		MaxBytes:      h.opts.MaxBody,
		MaxDepth:      h.opts.MaxDepth,
		MaxAttributes: h.opts.MaxAttributes,
		MaxChildren:   h.opts.MaxPayloads,
	}
	if h.opts.XMPP != nil {
		h.renames = inherited
	}
	m.Gates(Protocol, loader{&h.opts})
	headers := append([]string{"Content-Type"}, h.opts.Headers...)
	if h.opts.SignIn != nil {
		headers = append(headers, "Authorization")
	}
	h.origins = origin.NewPolicy(h.opts.Origins, headers...)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	h.origins.SetHeaders(header, r)
	if !h.origins.Allows(r) {
		h.violation(r, "origin not allowed")
		h.write(w, askerOf(r), http.StatusForbidden, defaultContentType, terminal(policyViolation))
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.post(w, r)
	case http.MethodOptions:
		h.origins.Preflight(w, r, allowedMethods)
	case http.MethodGet, http.MethodHead:
		h.write(w, askerOf(r), http.StatusOK, "text/plain; charset=utf-8", []byte(page))
	default:
		header.Set("Allow", allowedMethods)
		h.write(w, askerOf(r), http.StatusMethodNotAllowed, "text/plain; charset=utf-8", []byte("Use POST.\n"))
	}
}

// Shared values: a header line costs no allocation then. The slices have no
// room, so an append copies.
var (
	noStore      = []string{"no-store"}
	noSniff      = []string{"nosniff"}
	varyEncoding = []string{"Accept-Encoding"}
	varyBoth     = []string{"Origin", "Accept-Encoding"}
	defaultTypes = []string{defaultContentType}
)

const allowedMethods = "POST, GET, HEAD, OPTIONS"

// page is for people who open the address in a browser.
const page = "This is a BOSH endpoint (XEP-0124). Programs talk to it with POST.\n"

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	req, err := h.request(w, r)
	var refused *refusal
	switch {
	case err != nil && !errors.As(err, &refused):
		h.unread(w, r, err)
	case err != nil:
		h.violation(r, refused.reason)
		h.refuse(w, r, refused.condition)
	case req.hasSID:
		h.exchange(w, r, &req)
	default:
		h.create(w, r, &req)
	}
}

// bodies are buffers for those of requests, of which nothing is kept.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest buffer that is kept for the next request or answer.
const maxPooled = 16 << 10

// request reads what the client says.
func (h *Handler) request(w http.ResponseWriter, r *http.Request) (req request, err error) {
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	data, err := h.read(*buf, w, r)
	if err != nil {
		return req, err
	}
	if cap(data) <= maxPooled {
		*buf = data[:0]
	}
	return parse(data, &h.limits, h.renames)
}

// read takes in the body, and undoes its coding (XEP-0124 §7.2, accept).
func (h *Handler) read(buf []byte, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c, known := codingOf(r.Header["Content-Encoding"])
	if !known || c != identity && h.opts.NoAccept {
		return nil, errCoding
	}
	data, err := reqbody.ReadInto(buf, w, r, reqbody.Limits{Max: h.opts.MaxBody, Timeout: h.opts.BodyTimeout, Rate: h.opts.BodyRate})
	if err != nil {
		return nil, err
	}
	if h.opts.Forward != nil { // the buffer is used again
		r.Body = io.NopCloser(bytes.NewReader(bytes.Clone(data)))
	}
	return c.decode(data, h.opts.MaxBody)
}

var errCoding = errors.New("content coding not advertised")

// unread answers a request whose body was not read to its end. What follows
// on that connection cannot be told from the rest of the body.
func (h *Handler) unread(w http.ResponseWriter, r *http.Request, err error) {
	c := badRequest
	switch {
	case errors.Is(err, reqbody.ErrTooBig), errors.Is(err, reqbody.ErrSlow):
		c = policyViolation
		h.violation(r, err.Error())
	case errors.Is(err, errCoding):
		h.violation(r, err.Error())
	case r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF):
		abort() // the client went away
	default:
		h.violation(r, "body unreadable")
	}
	w.Header().Set("Connection", "close")
	h.refuse(w, r, c)
}

// abort closes the connection without an answer.
func abort() { panic(http.ErrAbortHandler) }

// deny answers with a terminal condition in a session.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, p transport.Params, c condition) {
	h.write(w, askerOf(r), c.status(p), p.Attrs[attrContent], terminal(c))
}

// refuse answers with a terminal condition outside any session. Nothing is
// known of the client, not even its age: the status is 200 (XEP-0124 §2).
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c condition) {
	h.write(w, askerOf(r), http.StatusOK, defaultContentType, terminal(c))
}

// violation logs that a client broke the rules: what, never whom by its sid,
// nor anything that it sent.
func (h *Handler) violation(r *http.Request, what string) {
	h.opts.Logger.InfoContext(r.Context(), "bosh: request refused", "reason", what, "remote", r.RemoteAddr)
}
