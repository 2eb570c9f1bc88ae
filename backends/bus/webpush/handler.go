package webpush

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/internal/reqbody"
)

// HandlerOptions configure a [Handler].
type HandlerOptions struct {
	// Guard knows whose the token of a request is. It is needed.
	Guard *auth.Guard
	// Origins are those of pages that may call, besides the server's own.
	Origins []string
	// Logger takes refusals (Info) and faults (Error). Nil: no logs.
	Logger *slog.Logger
}

// A Handler takes the subscriptions of clients, who sign in with the token of their
// session, as a bearer token:
//
//	GET                                            {"key":"BPk…"}
//	POST    {"endpoint":…,"keys":…,"topics":[…]}   {}
//	DELETE  {"endpoint":…}                         {}
//
// A refusal is {"error":{"code":…,"message":…}}.
type Handler struct {
	pusher  *Pusher
	opts    HandlerOptions
	origins origin.Policy
}

// NewHandler returns a handler.
func NewHandler(p *Pusher, opts HandlerOptions) *Handler {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{p, opts, origin.NewPolicy(opts.Origins, "Content-Type", "Authorization")}
}

const (
	maxRequest  = 16 << 10
	bodyTimeout = 10 * time.Second
	methods     = "GET, POST, DELETE"
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		h.origins.Preflight(w, r, methods)
		return
	}
	h.origins.SetHeaders(w.Header(), r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	answer, err := h.answer(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

type keyAnswer struct {
	Key string `json:"key"`
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if !h.origins.Allows(r) {
		return nil, &bus.Error{Code: bus.Forbidden, Text: "pages of this origin may not call"}
	}
	switch r.Method {
	case http.MethodGet:
		return keyAnswer{h.pusher.Key()}, nil
	case http.MethodPost, http.MethodDelete:
		return struct{}{}, h.change(w, r)
	}
	w.Header().Set("Allow", methods)
	return nil, errMethod
}

var errMethod = &bus.Error{Code: "method-not-allowed", Text: "only " + methods + " are allowed here"}

// change keeps or forgets a subscription.
func (h *Handler) change(w http.ResponseWriter, r *http.Request) error {
	ctx, err := h.opts.Guard.SignIn(r.Context(), bearer.Token(r.Header))
	if err != nil {
		return err
	}
	user := auth.FromContext(ctx).User
	if user == "" {
		return &bus.Error{Code: bus.Unauthorized, Text: "a token is needed"}
	}
	body, err := reqbody.Read(w, r, reqbody.Limits{Max: maxRequest, Timeout: bodyTimeout})
	switch {
	case errors.Is(err, reqbody.ErrTooBig):
		w.Header().Set("Connection", "close")
		return &bus.Error{Code: bus.TooBig, Text: "the body is too long"}
	case err != nil:
		w.Header().Set("Connection", "close")
		return &bus.Error{Code: bus.BadRequest, Text: "the body cannot be read", Err: err}
	}
	var s Subscription
	if err := json.Unmarshal(body, &s); err != nil {
		return badRequest("the body is no subscription in JSON")
	}
	if r.Method == http.MethodDelete {
		return h.pusher.Unregister(ctx, user, s.Endpoint)
	}
	for _, topic := range s.Topics {
		if err := h.opts.Guard.Authorize(ctx, auth.Subscribe, topic); err != nil {
			return err
		}
	}
	return h.pusher.Register(ctx, user, s)
}

var statuses = map[bus.Code]int{
	bus.BadRequest: http.StatusBadRequest,
	bus.Forbidden:  http.StatusForbidden, bus.Unauthorized: http.StatusUnauthorized,
	bus.TooBig: http.StatusRequestEntityTooLarge, bus.TooFast: http.StatusTooManyRequests,
	bus.Busy: http.StatusServiceUnavailable, errMethod.Code: http.StatusMethodNotAllowed,
}

// authCodes are those of package auth, in the words of the bus.
var authCodes = map[auth.Code]bus.Code{
	auth.Unauthorized: bus.Unauthorized, auth.Expired: bus.Unauthorized, auth.Forbidden: bus.Forbidden,
	auth.Unavailable: bus.Busy, auth.TooMany: bus.TooFast,
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := &bus.Error{Code: bus.Internal, Text: "something went wrong", Err: err}
	var denied *auth.Error
	if !errors.As(err, &e) && errors.As(err, &denied) {
		e = &bus.Error{Code: authCodes[denied.Code], Text: denied.Text, Err: err}
	}
	status, known := statuses[e.Code]
	if !known {
		status = http.StatusInternalServerError
		h.opts.Logger.ErrorContext(r.Context(), "push subscription", "error", err)
	} else {
		h.opts.Logger.InfoContext(r.Context(), "push subscription refused", "code", string(e.Code), "reason", e.Text)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": e.Code, "message": e.Text}})
}
