package sse

import (
	"net/http"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Handler is the http.Handler of the carrier: POST for a ticket, GET for the
// stream, both at one address, whatever it is mounted on.
type Handler struct{ endpoint *push.Endpoint }

// NewHandler returns a handler for the manager's sessions. Nil options are
// the defaults.
func NewHandler(m *transport.Manager, opts *push.Options) *Handler {
	return &Handler{push.NewEndpoint(m, opts)}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.endpoint.Admit(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	var err error
	if r.Method == http.MethodPost {
		err = h.sell(w, r)
	} else {
		err = h.open(w, r)
	}
	if err != nil {
		h.endpoint.Fail(w, r, err)
	}
}

// sell answers with a ticket.
func (h *Handler) sell(w http.ResponseWriter, r *http.Request) error {
	o, err := h.endpoint.Read(w, r)
	if err != nil {
		return err
	}
	s, err := h.endpoint.Resume(r.Context(), o)
	if err != nil {
		return err
	}
	if o.Attach == 0 {
		return &push.Error{Code: push.BadRequest, Message: "attach is missing"}
	}
	t := ticket{o.Session, o.Attach, o.Ack, time.Now().Add(ticketLife).Unix()}
	h.endpoint.Write(w, http.StatusOK, []byte(`{"ticket":"`+t.sign(s.Params().Secret)+`"}`))
	return nil
}

// open finds out for whom the stream is, and serves it. An error means that
// nothing was written yet.
func (h *Handler) open(w http.ResponseWriter, r *http.Request) error {
	s, attach, ack, err := h.identify(r)
	if err != nil {
		return err
	}
	if err := h.endpoint.Attach(s, attach, ack); err != nil {
		return err
	}
	// The first answer comes at once: proof of life, and what is missing.
	first, err := h.endpoint.Pull(r.Context(), s, transport.Pull{Attach: attach, After: ack, Again: true})
	if err != nil {
		return err
	}
	newStream(w, h.endpoint.Options(), s, attach).serve(r.Context(), first)
	return nil
}

// identify reads the ticket, or the headers of clients that can set them.
func (h *Handler) identify(r *http.Request) (s *transport.Session, attach, ack uint64, err error) {
	q := r.URL.Query()
	if q.Has("ticket") {
		return h.redeem(r, q.Get("ticket"))
	}
	key := bearer.Token(r.Header)
	if key == "" {
		return nil, 0, 0, &push.Error{Code: push.Forbidden, Message: "neither a ticket nor a key"}
	}
	if attach, err = number("attach", q.Get("attach")); err != nil {
		return nil, 0, 0, err
	}
	if ack, err = number("Last-Event-ID", r.Header.Get("Last-Event-ID")); err != nil {
		return nil, 0, 0, err
	}
	s, err = h.endpoint.Find(r.Context(), q.Get("session"), key)
	return s, attach, ack, err
}

func (h *Handler) redeem(r *http.Request, value string) (*transport.Session, uint64, uint64, error) {
	t, mac, err := parseTicket(value)
	if err != nil {
		return nil, 0, 0, err
	}
	s, err := h.endpoint.Known(r.Context(), t.session)
	if err != nil {
		return nil, 0, 0, err
	}
	if !t.valid(s, mac, time.Now()) {
		return nil, 0, 0, errTicket
	}
	return s, t.attach, t.ack, nil
}

// number reads a number of a URL or a header; absent is zero.
func number(name, s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil {
		return 0, &push.Error{Code: push.BadRequest, Message: name + " is not a number"}
	}
	return n, nil
}
