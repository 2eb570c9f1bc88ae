package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/auth"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultTimeout    = 5 * time.Second
	DefaultConcurrent = 64
	DefaultCacheAge   = 10 * time.Second
	DefaultMaxCached  = 10_000
	DefaultMaxAnswer  = 64 << 10
)

// Options configure a [Hook].
type Options struct {
	// Secret is sent as a bearer token, so that the application knows who
	// asks. Empty: none is.
	Secret string
	// Timeout bounds one question, with the wait for its turn.
	Timeout time.Duration
	// Concurrent bounds the questions at once; others wait for their turn.
	Concurrent int
	// CacheAge is how long an answer about an operation holds, where the
	// answer does not say. Negative: not at all. MaxCacheAge bounds what it
	// says; zero: an hour.
	CacheAge, MaxCacheAge time.Duration
	// MaxCached bounds the answers that are remembered; above it, the oldest
	// are forgotten.
	MaxCached int
	// MaxAnswer bounds the bytes of an answer.
	MaxAnswer int
	// Observe, if set, is told of each question: what about (connect, or a
	// capability), how long the answer took, the wait for its turn included, and
	// the *[auth.Error] that it was, or that there was none; nil for a plain
	// answer. Remembered answers are no questions.
	Observe func(event string, took time.Duration, err error)
	// Tracing, if set, gets a span for each question, below that of the context,
	// and the application is told of it by traceparent.
	Tracing trace.TracerProvider
	// Client asks. Nil: one that follows no redirects.
	Client *http.Client
}

// A Hook asks an application. It is an [auth.Authenticator], and its Decide is
// for auth.Options. It may be used by many goroutines at once.
type Hook struct {
	url   string
	opts  Options
	turns chan struct{}
	cache cache

	tracer trace.Tracer // nil: nobody traces
}

// New returns a hook that posts to a URL. Nil options are the defaults.
func New(address string, opts *Options) (*Hook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is no URL such as https://app.example/hook", address)
	}
	h := &Hook{url: address}
	if opts != nil {
		h.opts = *opts
	}
	o := &h.opts
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.Concurrent, DefaultConcurrent)
	setDefault(&o.CacheAge, DefaultCacheAge)
	setDefault(&o.MaxCacheAge, time.Hour)
	setDefault(&o.MaxCached, DefaultMaxCached)
	setDefault(&o.MaxAnswer, DefaultMaxAnswer)
	if o.Client == nil {
		o.Client = &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: o.Concurrent, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	h.turns = make(chan struct{}, o.Concurrent)
	h.cache.max = o.MaxCached
	if o.Tracing != nil {
		h.tracer = o.Tracing.Tracer(scope)
	}
	return h, nil
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// question is what is posted.
type question struct {
	Event string `json:"event"`
	Token string `json:"token,omitempty"`
	User  string `json:"user,omitempty"`
	Topic string `json:"topic,omitempty"`
}

// Authenticate implements [auth.Authenticator].
func (h *Hook) Authenticate(ctx context.Context, token string) (*auth.Principal, error) {
	var who struct {
		User    string
		Topics  auth.Grants
		Expires *int64
	}
	if err := h.ask(ctx, &question{Event: "connect", Token: token}, &who); err != nil {
		return nil, err
	}
	p := &auth.Principal{User: who.User, Grants: who.Topics}
	if who.Expires != nil {
		// More than a hundred years are as good as any.
		p.Expires = time.Now().Add(time.Duration(min(max(0, *who.Expires), 1<<32)) * time.Second)
	}
	return p, nil
}

// Decide is an auth.Options.Decide.
func (h *Hook) Decide(ctx context.Context, p *auth.Principal, c auth.Capability, topic string) error {
	q := question{Event: string(c), User: p.User, Topic: topic}
	now := time.Now()
	allow, known := h.cache.get(now, q)
	if !known {
		var answer struct {
			Allow *bool
			For   *int64
		}
		if err := h.ask(ctx, &q, &answer); err != nil {
			return err
		}
		if answer.Allow == nil {
			return unavailable(errors.New("the answer does not say whether to allow it"))
		}
		allow = *answer.Allow
		age := h.opts.CacheAge
		if answer.For != nil {
			age = time.Duration(min(max(0, *answer.For), int64(h.opts.MaxCacheAge/time.Second))) * time.Second
		}
		h.cache.put(now, q, allow, age)
	}
	if !allow {
		return &auth.Error{Code: auth.Forbidden, Text: string(c) + " is not allowed here"}
	}
	return nil
}

// ask asks, and tells who observes.
func (h *Hook) ask(ctx context.Context, q *question, answer any) error {
	began := time.Now()
	err := h.traced(ctx, q, answer)
	if h.opts.Observe != nil {
		h.opts.Observe(q.Event, time.Since(began), err)
	}
	return err
}

// question waits for its turn, asks, and reads the answer.
func (h *Hook) question(ctx context.Context, q *question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return unavailable(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if h.opts.Secret != "" {
		r.Header.Set("Authorization", "Bearer "+h.opts.Secret)
	}
	if h.tracer != nil {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	resp, err := h.opts.Client.Do(r)
	if err != nil {
		return unavailable(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(h.opts.MaxAnswer)+1))
	switch {
	case err != nil:
		return unavailable(err)
	case len(data) > h.opts.MaxAnswer:
		return unavailable(errors.New("the answer is too long"))
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return &auth.Error{Code: auth.Unauthorized, Text: "the token is not good"}
	case http.StatusForbidden:
		return &auth.Error{Code: auth.Forbidden, Text: q.Event + " is not allowed here"}
	default:
		return unavailable(fmt.Errorf("answered with %s", resp.Status))
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return unavailable(fmt.Errorf("the answer makes no sense: %w", err))
	}
	return nil
}

// unavailable is a refusal for now; the URL, which may be secret, is left to
// the log.
func unavailable(err error) error {
	return &auth.Error{Code: auth.Unavailable, Text: "the application cannot be asked now", Err: err}
}
