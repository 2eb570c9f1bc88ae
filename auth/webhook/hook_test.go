package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// An application answers questions, and counts them.
type application struct {
	status       int
	answer       string
	delay        time.Duration
	asked, busy  atomic.Int32
	most         atomic.Int32
	last         atomic.Pointer[question]
	unreachable  bool
	withoutTrust atomic.Bool // the secret was missing
}

// RoundTrip implements http.RoundTripper.
func (a *application) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked.Add(1)
	if n := a.busy.Add(1); n > a.most.Load() {
		a.most.Store(n)
	}
	defer a.busy.Add(-1)
	if r.Header.Get("Authorization") != "Bearer hush" {
		a.withoutTrust.Store(true)
	}
	q := new(question)
	if err := json.NewDecoder(r.Body).Decode(q); err != nil {
		return nil, err
	}
	a.last.Store(q)
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.unreachable {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: max(a.status, 200), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.answer))}, nil
}

func newHook(t *testing.T, a *application, o Options) *Hook {
	t.Helper()
	o.Secret, o.Client = "hush", &http.Client{Transport: a}
	h, err := New("https://app.example/hook", &o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// codeOf returns why something was refused; "" if it was not.
func codeOf(err error) auth.Code {
	var e *auth.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	return "?"
}

func TestConnecting(t *testing.T) {
	for _, tt := range []struct {
		name string
		app  *application
		code auth.Code
		user string
	}{
		{"a user", &application{answer: `{"user":"ann","topics":{"t":["publish"]},"expires":60}`}, "", "ann"},
		{"without more", &application{answer: `{"user":"ann"}`}, "", "ann"},
		{"a token that is no good", &application{status: 401}, auth.Unauthorized, ""},
		{"a user who may not", &application{status: 403, answer: "whatever"}, auth.Forbidden, ""},
		{"nonsense", &application{answer: "<html>"}, auth.Unavailable, ""},
		{"nothing", &application{}, auth.Unavailable, ""},
		{"another type", &application{answer: `{"user":7}`}, auth.Unavailable, ""},
		{"a capability that is none", &application{answer: `{"user":"ann","topics":{"t":["fly"]}}`}, auth.Unavailable, ""},
		{"a pattern that is none", &application{answer: `{"user":"ann","topics":{"*t":["publish"]}}`}, auth.Unavailable, ""},
		{"too much", &application{answer: `{"user":"` + strings.Repeat("x", DefaultMaxAnswer) + `"}`}, auth.Unavailable, ""},
		{"a fault of its own", &application{status: 500}, auth.Unavailable, ""},
		{"a redirect", &application{status: 302}, auth.Unavailable, ""},
		{"nobody there", &application{unreachable: true}, auth.Unavailable, ""},
		{"no answer in time", &application{delay: time.Hour}, auth.Unavailable, ""},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			h := newHook(t, tt.app, Options{})
			before := time.Now()
			p, err := h.Authenticate(t.Context(), "token")
			if codeOf(err) != tt.code || err == nil && p.User != tt.user {
				t.Errorf("%+v, %v", p, err)
			}
			if took := time.Since(before); took > DefaultTimeout {
				t.Errorf("it took %v", took)
			}
			if q := *tt.app.last.Load(); q != (question{Event: "connect", Token: "token"}) || tt.app.withoutTrust.Load() {
				t.Errorf("asked %+v", q)
			}
		}))
	}
	t.Run("how long it is good", bubble(func(t *testing.T) {
		for answer, want := range map[string]time.Duration{"60": time.Minute, "0": 0, "-5": 0, "99999999999999": 1 << 32 * time.Second} {
			h := newHook(t, &application{answer: `{"user":"ann","expires":` + answer + `}`}, Options{})
			p, err := h.Authenticate(t.Context(), "x")
			if err != nil || !p.Expires.Equal(time.Now().Add(want)) {
				t.Errorf("%s: %+v, %v", answer, p, err)
			}
		}
	}))
}

func TestDeciding(t *testing.T) {
	ann := &auth.Principal{User: "ann"}
	decide := func(t *testing.T, h *Hook, topic string) auth.Code {
		return codeOf(h.Decide(t.Context(), ann, auth.Publish, topic))
	}
	for _, tt := range []struct {
		name string
		app  *application
		code auth.Code
	}{
		{"yes", &application{answer: `{"allow":true}`}, ""},
		{"no", &application{answer: `{"allow":false}`}, auth.Forbidden},
		{"no, by status", &application{status: 403}, auth.Forbidden},
		{"neither", &application{answer: `{}`}, auth.Unavailable},
		{"perhaps", &application{answer: `{"allow":"perhaps"}`}, auth.Unavailable},
		{"a fault", &application{status: 503}, auth.Unavailable},
		{"nobody there", &application{unreachable: true}, auth.Unavailable},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			h := newHook(t, tt.app, Options{})
			if got := decide(t, h, "t"); got != tt.code {
				t.Errorf("got %q", got)
			}
			if q := *tt.app.last.Load(); q != (question{Event: "publish", User: "ann", Topic: "t"}) {
				t.Errorf("asked %+v", q)
			}
			decide(t, h, "t")
			// Answers are remembered, and what is none is not.
			if asked, again := tt.app.asked.Load(), strings.HasPrefix(tt.app.answer, `{"allow":t`) || strings.HasPrefix(tt.app.answer, `{"allow":f`); again != (asked == 1) {
				t.Errorf("asked %d times", asked)
			}
		}))
	}
	t.Run("an answer holds as long as it says", bubble(func(t *testing.T) {
		for _, tt := range []struct {
			answer string
			hold   time.Duration
		}{{`{"allow":true}`, DefaultCacheAge}, {`{"allow":true,"for":60}`, time.Minute}, {`{"allow":false,"for":60}`, time.Minute}, {`{"allow":true,"for":999999999}`, time.Hour}} {
			app := &application{answer: tt.answer}
			h := newHook(t, app, Options{})
			decide(t, h, "t")
			time.Sleep(tt.hold - 1)
			decide(t, h, "t")
			if n := app.asked.Load(); n != 1 {
				t.Errorf("%s: asked %d times within %v", tt.answer, n, tt.hold)
			}
			time.Sleep(time.Nanosecond)
			decide(t, h, "t")
			if n := app.asked.Load(); n != 2 {
				t.Errorf("%s: asked %d times after %v", tt.answer, n, tt.hold)
			}
		}
		app := &application{answer: `{"allow":true}`}
		h := newHook(t, app, Options{CacheAge: -1})
		decide(t, h, "t")
		if decide(t, h, "t"); app.asked.Load() != 2 {
			t.Error("remembered all the same")
		}
	}))
	t.Run("MaxCached answers are remembered", bubble(func(t *testing.T) {
		app := &application{answer: `{"allow":true}`}
		h := newHook(t, app, Options{MaxCached: 3})
		for i := range 10 {
			decide(t, h, fmt.Sprint(i))
		}
		if len(h.cache.answers) != 3 || len(h.cache.queue) != 3 {
			t.Errorf("%d answers, %d in the queue", len(h.cache.answers), len(h.cache.queue))
		}
		decide(t, h, "9")
		if n := app.asked.Load(); n != 10 {
			t.Errorf("asked %d times", n)
		}
	}))
	t.Run("Concurrent questions at once, and others wait, but not for ever", bubble(func(t *testing.T) {
		app := &application{answer: `{"allow":true}`, delay: 2 * time.Second}
		h := newHook(t, app, Options{Concurrent: 4, Timeout: 5 * time.Second})
		codes := make(chan auth.Code, 20)
		for i := range cap(codes) {
			go func() { codes <- decide(t, h, fmt.Sprint(i)) }()
		}
		count := map[auth.Code]int{}
		for range cap(codes) {
			count[<-codes]++
		}
		// Two rounds of four are through within five seconds.
		if app.most.Load() != 4 || count[""] != 8 || count[auth.Unavailable] != 12 {
			t.Errorf("%d at once; %v", app.most.Load(), count)
		}
	}))
	t.Run("who goes away does not wait", bubble(func(t *testing.T) {
		h := newHook(t, &application{delay: time.Hour}, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		before := time.Now()
		if err := h.Decide(ctx, ann, auth.Publish, "t"); !errors.Is(err, context.Canceled) || time.Since(before) != time.Second {
			t.Errorf("%v after %v", err, time.Since(before))
		}
	}))
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, url := range []string{"", "hook", "ftp://app.example", "https://"} {
		if _, err := New(url, nil); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

func TestObserving(t *testing.T) {
	for _, tt := range []struct {
		app  *application
		took time.Duration
		code auth.Code
	}{
		{&application{answer: `{"allow":true}`, delay: time.Second}, time.Second, ""},
		{&application{status: 403}, 0, auth.Forbidden},
		{&application{delay: time.Hour}, DefaultTimeout, auth.Unavailable},
	} {
		t.Run(string(tt.code), bubble(func(t *testing.T) {
			told := 0
			h := newHook(t, tt.app, Options{Observe: func(event string, took time.Duration, err error) {
				if told++; event != "publish" || took != tt.took || codeOf(err) != tt.code {
					t.Errorf("%s %v: %v", event, took, err)
				}
			}})
			h.Decide(t.Context(), &auth.Principal{User: "ann"}, auth.Publish, "t")
			if told != 1 {
				t.Errorf("told %d times", told)
			}
		}))
	}
}
