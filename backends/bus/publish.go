package bus

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/internal/reqbody"
)

// PublishHandler returns the handler of POST /api/publish, as docs/bus.md has
// it, to be mounted there or anywhere. Who may publish is for
// Options.Authorize to say, or for a handler around it. It is for servers and
// our own pages: a page of another origin is refused, since a browser would
// let it post without asking.
func (b *Bus) PublishHandler() http.Handler { return &publishHandler{bus: b} }

type publishHandler struct {
	bus     *Bus
	origins origin.Policy
}

// envelope is how much a body may be larger than its data: names and
// punctuation, a topic, an id and a key with every character escaped.
func (h *publishHandler) envelope() int {
	return 1024 + 6*(2*MaxLabel+h.bus.opts.MaxTopicName)
}

func (h *publishHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	done, err := h.publish(w, r)
	if err != nil {
		h.refuse(w, r, refusal(err))
		return
	}
	json.NewEncoder(w).Encode(done)
}

// acknowledgement answers a publish.
type acknowledgement struct {
	Topic string `json:"topic"`
	Published
}

func (h *publishHandler) publish(w http.ResponseWriter, r *http.Request) (*acknowledgement, error) {
	if r.Method != http.MethodPost {
		return nil, &Error{Code: MethodNotAllowed, Text: "only POST is allowed here"}
	}
	if !h.origins.Allows(r) {
		return nil, &Error{Code: Forbidden, Text: "pages of this origin may not publish"}
	}
	body, err := h.read(w, r)
	if err != nil {
		return nil, err
	}
	cmd, err := h.bus.opts.parse(body)
	if err != nil {
		return nil, err
	}
	if err := h.bus.opts.checkTopic(cmd.topic); err != nil {
		return nil, err
	}
	if err := h.bus.authorize(r.Context(), nil, OpPublish, cmd.topic); err != nil {
		return nil, err
	}
	p := Publication{Data: cmd.data, ID: cmd.id, Key: cmd.key}
	done, err := h.bus.publishSafely(r.Context(), cmd.topic, p, true)
	return &acknowledgement{cmd.topic, done}, err
}

// read reads the body within its limits of size and time.
func (h *publishHandler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := reqbody.Read(w, r, reqbody.Limits{
		Max:     h.bus.opts.MaxMessage + h.envelope(),
		Timeout: h.bus.opts.BodyTimeout,
		Rate:    h.bus.opts.BodyRate,
	})
	if err != nil {
		w.Header().Set("Connection", "close") // the rest of it is not read
	}
	switch {
	case errors.Is(err, reqbody.ErrTooBig):
		return nil, &Error{Code: TooBig, Text: "the body is too long"}
	case errors.Is(err, reqbody.ErrSlow):
		return nil, &Error{Code: Slow, Text: "the body took too long"}
	case err != nil:
		return nil, &Error{Code: BadRequest, Text: "the body cannot be read", Err: err}
	}
	return body, nil
}

func (h *publishHandler) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	status := http.StatusInternalServerError
	switch e.Code {
	case BadRequest:
		status = http.StatusBadRequest
	case Forbidden:
		status = http.StatusForbidden
	case MethodNotAllowed:
		status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", http.MethodPost)
	case Slow:
		status = http.StatusRequestTimeout
	case TooBig:
		status = http.StatusRequestEntityTooLarge
	case TooManyTopics, Busy:
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	default:
		if r.Context().Err() != nil {
			break // the client is gone
		}
		h.bus.opts.Logger.ErrorContext(r.Context(), "bus publish failed", "error", e)
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(refused{refusedError{e.Code, e.Text}})
}

// refused is the answer to a request that changed nothing.
type refused struct {
	Error refusedError `json:"error"`
}

type refusedError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}
