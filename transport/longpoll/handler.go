package longpoll

import (
	"errors"
	"net/http"
	"time"

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
	status, answer, err := h.answer(w, r)
	if err == errParked {
		return
	}
	if err != nil {
		h.endpoint.Refuse(w, err)
		return
	}
	h.endpoint.Write(w, status, answer)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (status int, answer []byte, err error) {
	o, err := h.endpoint.Read(w, r)
	if err != nil {
		return 0, nil, err
	}
	if o.Session == "" {
		_, answer, err = h.endpoint.Create(r.Context(), o)
		return http.StatusCreated, answer, err
	}
	s, err := h.endpoint.Find(r.Context(), o.Session, o.Key)
	if err != nil {
		return 0, nil, err
	}
	ack, err := h.endpoint.Take(r.Context(), s, o, false)
	if err != nil {
		return 0, nil, err
	}
	if o.Attach != 0 {
		answer, err = h.poll(w, r, s, o)
		return http.StatusOK, answer, err
	}
	return http.StatusOK, acknowledge(s, ack), nil
}

// poll holds the request until there is something to say.
func (h *Handler) poll(w http.ResponseWriter, r *http.Request, s *transport.Session, o *push.Object) ([]byte, error) {
	p := transport.Pull{Attach: o.Attach, After: o.Ack, Wait: s.Params().Wait}
	if o.Wait != nil {
		p.Wait = time.Duration(*o.Wait) * time.Second
	}
	if pk, ok := w.(parker); ok {
		var pending transport.Pending
		pk.Park(func() { pending.Stop() }, nil)
		var err error
		pending, err = s.PullFunc(p, func(resp transport.Response) {
			h.endpoint.Write(w, http.StatusOK, push.AppendAnswer(nil, resp, true))
			pk.Finish()
		})
		if err != nil {
			pk.Unpark()
			return nil, err
		}
		return nil, errParked
	}
	response, err := h.endpoint.Pull(r.Context(), s, p)
	if err != nil {
		return nil, err
	}
	return push.AppendAnswer(nil, response, true), nil
}

func acknowledge(s *transport.Session, ack uint64) []byte {
	if end, ok := s.Err().(*transport.Termination); ok {
		return push.AppendEnd(nil, end)
	}
	return push.AppendAck(nil, ack)
}

type parker interface {
	Park(gone, behind func())
	Unpark()
	Finish()
}

var errParked = errors.New("parked")
