package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/internal/jsondepth"
	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/internal/reqbody"
	"github.com/mochibosh/mochibosh/transport"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultMaxBody     = 1 << 20
	DefaultMaxBatch    = 1000
	DefaultMaxMessages = 1000
	DefaultBodyTimeout = 10 * time.Second
	DefaultBodyRate    = 256
	DefaultMaxDepth    = jsondepth.Default
)

// Options configure a [Handler]. With none, nobody may call.
type Options struct {
	// Keys are those that may call; see [Handler.SetKeys].
	Keys *Keys
	// Open lets anybody call who can reach it, but no page of another origin.
	// It is for development, and for a handler around it that decides.
	Open bool
	// Attempts, if set, counts keys that are none, and says who has to wait
	// before it tries others. Good ones are never refused.
	Attempts auth.Attempts
	// MaxBody bounds the bytes of one request.
	MaxBody int
	// MaxBatch bounds the messages of one request.
	MaxBatch int
	// MaxMessages bounds the messages of one answer.
	MaxMessages int
	// Rate bounds the messages a second that one key may publish. Zero: any
	// number.
	Rate float64
	// MaxDepth bounds how deep values nest in a request.
	MaxDepth int
	// BodyTimeout is how long the body of a request may take.
	BodyTimeout time.Duration
	// BodyRate is how many bytes of it have to arrive in a second. Negative: any
	// number.
	BodyRate int
	// Observe, if set, is told of each call.
	Observe func(Call)
	// Tracing, if set, gets a span for each call, below the one that the request's
	// traceparent names.
	Tracing trace.TracerProvider
	// Pusher publishes messages that have a notification. Nil: they are refused.
	Pusher Pusher
	// Logger takes refusals (Info) and faults (Error); never keys or payloads.
	// Nil: no logs.
	Logger *slog.Logger
}

// A Call is one that was answered.
type Call struct {
	Operation string // "other", if there is no such
	Key       string // name of the key; "" without a good one
	Took      time.Duration
	Refused   bus.Code // why it was refused; "" if it was not
}

// A Pusher publishes a message with a notification, as JSON, for those who are not
// there: webpush.Pusher is one. Errors are those of bus.Bus.Publish, and a *bus.Error
// with BadRequest for a notification that is none.
type Pusher interface {
	PublishJSON(ctx context.Context, topic string, data json.RawMessage, opts *bus.PublishOptions, push json.RawMessage) (bus.Published, error)
}

// Path is where a [Handler] serves: below it are the operations.
const Path = "/api/"

// Paths returns where there is something.
func Paths() []string {
	all := []string{descriptionPath}
	for name := range operations {
		all = append(all, Path+name)
	}
	return all
}

const descriptionPath = Path + "openapi.json"

// A Handler is the http.Handler of everything below [Path]. It may be used by
// many goroutines at once.
type Handler struct {
	bus     *bus.Bus
	opts    Options
	keys    atomic.Pointer[Keys]
	origins origin.Policy
	tracer  trace.Tracer // nil: nobody traces
}

// NewHandler returns a handler for a bus. Nil options let nobody call.
func NewHandler(b *bus.Bus, opts *Options) *Handler {
	h := &Handler{bus: b}
	if opts != nil {
		h.opts = *opts
	}
	o := &h.opts
	setDefault(&o.MaxBody, DefaultMaxBody)
	setDefault(&o.MaxBatch, DefaultMaxBatch)
	setDefault(&o.MaxMessages, DefaultMaxMessages)
	setDefault(&o.MaxDepth, DefaultMaxDepth)
	setDefault(&o.BodyTimeout, DefaultBodyTimeout)
	setDefault(&o.BodyRate, DefaultBodyRate)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Tracing != nil {
		h.tracer = o.Tracing.Tracer(scope)
	}
	h.SetKeys(o.Keys)
	return h
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// SetKeys replaces the keys, at once.
func (h *Handler) SetKeys(keys *Keys) { h.keys.Store(keys) }

// Codes of refusals besides those of the bus.
const (
	NotFound         bus.Code = "not-found"          // there is no such operation
	MethodNotAllowed bus.Code = "method-not-allowed" // other than POST
	Slow             bus.Code = "slow"               // the body took too long
)

var statuses = map[bus.Code]int{
	bus.BadRequest:    http.StatusBadRequest,
	bus.Unauthorized:  http.StatusUnauthorized,
	bus.Forbidden:     http.StatusForbidden,
	NotFound:          http.StatusNotFound,
	bus.UnknownTopic:  http.StatusNotFound,
	MethodNotAllowed:  http.StatusMethodNotAllowed,
	Slow:              http.StatusRequestTimeout,
	bus.TooBig:        http.StatusRequestEntityTooLarge,
	bus.TooFast:       http.StatusTooManyRequests,
	bus.Internal:      http.StatusInternalServerError,
	bus.TooManyTopics: http.StatusServiceUnavailable,
	bus.Busy:          http.StatusServiceUnavailable,
	bus.Unavailable:   http.StatusServiceUnavailable,
}

//go:embed openapi.json
var description []byte

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["Content-Type"] = contentJSON
	header["X-Content-Type-Options"] = nosniff
	if r.URL.Path == descriptionPath && r.Method == http.MethodGet {
		w.Write(description)
		return
	}
	if h.tracer != nil {
		h.traced(w, r)
		return
	}
	h.observed(w, r)
}

// observed answers a call, and tells who observes. It returns the code of the
// refusal, if that is the answer.
func (h *Handler) observed(w http.ResponseWriter, r *http.Request) bus.Code {
	began := time.Now()
	key := h.keys.Load().find(bearer.Token(r.Header))
	code := h.serve(w, r, key)
	if h.opts.Observe != nil {
		c := Call{Operation: operationOf(r), Took: time.Since(began), Refused: code}
		if key != nil {
			c.Key = key.Name
		}
		h.opts.Observe(c)
	}
	return code
}

// serve answers a call, and returns the code of the refusal, if that is the answer.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, key *Key) bus.Code {
	answer, err := h.call(w, r, key)
	if err != nil {
		return h.refuse(w, r, key, err)
	}
	json.NewEncoder(w).Encode(answer)
	return ""
}

// operationOf names the operation for who observes: there are no more names than
// operations.
func operationOf(r *http.Request) string {
	name, _ := strings.CutPrefix(r.URL.Path, Path)
	if _, ok := operations[name]; !ok {
		return "other"
	}
	return name
}

// Shared values: a header line costs no allocation then.
var (
	noStore     = []string{"no-store"}
	contentJSON = []string{"application/json"}
	nosniff     = []string{"nosniff"}
)

// call does what somebody asks for; without a key it is nil.
func (h *Handler) call(w http.ResponseWriter, r *http.Request, key *Key) (any, error) {
	name, _ := strings.CutPrefix(r.URL.Path, Path)
	do, ok := operations[name]
	switch {
	case !ok:
		return nil, &bus.Error{Code: NotFound, Text: "there is no such operation"}
	case r.Method != http.MethodPost:
		return nil, &bus.Error{Code: MethodNotAllowed, Text: "only POST is allowed here"}
	case !h.origins.Allows(r):
		return nil, &bus.Error{Code: bus.Forbidden, Text: "pages of this origin may not call"}
	case key == nil && !h.opts.Open:
		return nil, h.noKey(r)
	}
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	body, err := h.read(*buf, w, r)
	if err != nil {
		return nil, err
	}
	if cap(body) <= maxPooled {
		*buf = body[:0]
	}
	if jsondepth.Exceeds(body, h.opts.MaxDepth) {
		return nil, &bus.Error{Code: bus.BadRequest, Text: "nested too deep, more than " + strconv.Itoa(h.opts.MaxDepth) + " levels"}
	}
	return do(caller{handler: h, key: key}, r.Context(), body)
}

// noKey refuses who has no key.
func (h *Handler) noKey(r *http.Request) error {
	if a := h.opts.Attempts; a != nil && bearer.Token(r.Header) != "" {
		if after := a.Wait(r.Context()); after > 0 {
			text := "too many keys were none, try again later"
			return &bus.Error{Code: bus.TooFast, Text: text, Err: &transport.TooFast{After: after, Text: text}}
		}
		a.Failed(r.Context())
	}
	return &bus.Error{Code: bus.Unauthorized, Text: "a key is needed, and this is none"}
}

// bodies are buffers for those of requests, of which nothing is kept: what JSON
// is read into is a copy.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest buffer that is kept for the next request.
const maxPooled = 16 << 10

// read reads the body within its limits of size and time.
func (h *Handler) read(buf []byte, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := reqbody.ReadInto(buf, w, r, reqbody.Limits{Max: h.opts.MaxBody, Timeout: h.opts.BodyTimeout, Rate: h.opts.BodyRate})
	if err != nil {
		w.Header().Set("Connection", "close") // the rest of it is not read
	}
	switch {
	case errors.Is(err, reqbody.ErrTooBig):
		return nil, &bus.Error{Code: bus.TooBig, Text: "the body is too long"}
	case errors.Is(err, reqbody.ErrSlow):
		return nil, &bus.Error{Code: Slow, Text: "the body took too long"}
	case err != nil:
		return nil, &bus.Error{Code: bus.BadRequest, Text: "the body cannot be read", Err: err}
	}
	return body, nil
}

// refuse answers with an error, logs it once, and returns its code.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, key *Key, err error) bus.Code {
	e := asError(err)
	who := ""
	if key != nil {
		who = key.Name
	}
	switch e.Code {
	case bus.Unauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750 §3
	case MethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case bus.TooManyTopics, bus.Busy, bus.Unavailable, bus.TooFast:
		after := time.Second
		if fast := new(transport.TooFast); errors.As(err, &fast) {
			after = fast.After
		}
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	switch {
	case errors.Is(err, context.Canceled): // the caller is gone
	case e.Code == bus.Internal:
		h.opts.Logger.ErrorContext(r.Context(), "api call failed", "path", r.URL.Path, "key", who, "error", e)
	default:
		h.opts.Logger.InfoContext(r.Context(), "api call refused", "path", r.URL.Path, "key", who, "code", string(e.Code), "reason", e.Text)
	}
	w.WriteHeader(statuses[e.Code])
	json.NewEncoder(w).Encode(map[string]*refusal{"error": {e.Code, e.Text}})
	return e.Code
}

// refusal is an error as callers see it.
type refusal struct {
	Code    bus.Code `json:"code"`
	Message string   `json:"message"`
}

func asError(err error) *bus.Error {
	var e *bus.Error
	if errors.As(err, &e) && statuses[e.Code] != 0 {
		return e
	}
	return &bus.Error{Code: bus.Internal, Text: "the server failed", Err: err}
}

// A caller is one request, and who makes it.
type caller struct {
	handler *Handler
	key     *Key // nil: anybody may
}

// may refuses what the key is not for.
func (c caller) may(can auth.Capability, topic string) error {
	if c.key != nil && !c.key.allows(can, topic) {
		return &bus.Error{Code: bus.Forbidden, Text: "the key is not for " + string(can) + " here"}
	}
	return nil
}

// hurries refuses more messages than the key may publish.
func (c caller) hurries(n int) error {
	if c.key != nil && !c.key.take(time.Now(), n, c.handler.opts.Rate) {
		return &bus.Error{Code: bus.TooFast, Text: "this key publishes too fast"}
	}
	return nil
}

// An operation does what a body asks for.
type operation func(c caller, ctx context.Context, body []byte) (answer any, err error)
