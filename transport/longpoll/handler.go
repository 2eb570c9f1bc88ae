package longpoll

import (
	"net/http"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Handler is the http.Handler of the carrier. It serves one address, whatever
// it is mounted on.
type Handler struct{ endpoint *push.Endpoint }

// NewHandler returns a handler for the manager's sessions. Nil options are
// the defaults.
func NewHandler(m *transport.Manager, opts *push.Options) *Handler {
	return &Handler{push.NewEndpoint(m, opts)}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.endpoint.Admit(w, r, http.MethodPost) {
		return
	}
	if err := h.answer(w, r); err != nil {
		h.endpoint.Fail(w, r, err)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) error {
	o, err := h.endpoint.Read(w, r)
	if err != nil {
		return err
	}
	if o.Session == "" {
		_, answer, err := h.endpoint.Create(r.Context(), o)
		if err == nil {
			h.endpoint.Write(w, http.StatusCreated, answer)
		}
		return err
	}
	s, err := h.endpoint.Resume(r.Context(), o)
	if err != nil {
		return err
	}
	ack, err := h.endpoint.Take(r.Context(), s, o, false)
	if err != nil {
		return err
	}
	if o.Attach != 0 {
		return h.poll(w, r, s, o)
	}
	answer, err := h.endpoint.Acknowledge(s, ack)
	if err == nil {
		h.endpoint.Write(w, http.StatusOK, answer)
	}
	return err
}

// poll holds the request until there is something to say.
func (h *Handler) poll(w http.ResponseWriter, r *http.Request, s *transport.Session, o *push.Object) error {
	p := transport.Pull{Attach: o.Attach, After: o.Ack, Wait: s.Params().Wait}
	if o.Wait != nil {
		p.Wait = time.Duration(*o.Wait) * time.Second
	}
	return park.Hold(w, r,
		func(f func(transport.Response)) (transport.Pending, error) { return h.endpoint.PullFunc(s, p, f) },
		func(resp transport.Response) { h.endpoint.WriteAnswer(w, resp) })
}
