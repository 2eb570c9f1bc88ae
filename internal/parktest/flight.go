// Package parktest has requests without a network, for tests in
// testing/synctest bubbles: a handler answers them while they are held, or
// leaves them parked, as on the project's own server.
package parktest

import (
	"context"
	"net/http"
	"sync"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A Flight is a request on its way, and what was answered so far. Its methods
// may be called from many goroutines at once.
type Flight struct {
	ctx    context.Context
	cancel func()
	done   chan struct{}
	parked bool
	stop   func() bool
	fields http.Header // the handler's

	mu     sync.Mutex
	status int
	sent   http.Header
	body   []byte
}

// Fly brings a request to a handler. If it parks, the handler may leave it.
func Fly(h http.Handler, r *http.Request, parks bool) *Flight {
	f := &Flight{done: make(chan struct{}), fields: make(http.Header)}
	f.ctx, f.cancel = context.WithCancel(r.Context())
	var w http.ResponseWriter = writer{f}
	if parks {
		w = parkedWriter{writer{f}}
	}
	go func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
			if !f.parked {
				close(f.done)
			}
		}()
		h.ServeHTTP(w, r.WithContext(f.ctx))
	}()
	return f
}

// Status returns that of the answer; zero before there is one.
func (f *Flight) Status() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Header returns the fields of the answer; nil before there is one.
func (f *Flight) Header() http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// Body returns what was written by now.
func (f *Flight) Body() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.body)
}

// Over reports whether the answer is complete.
func (f *Flight) Over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// Cut breaks the connection.
func (f *Flight) Cut() { f.cancel() }

// writer takes the answer.
type writer struct{ flight *Flight }

func (w writer) Header() http.Header { return w.flight.fields }

func (w writer) WriteHeader(status int) {
	f := w.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.status == 0 {
		f.status, f.sent = status, f.fields.Clone()
	}
}

func (w writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.flight.mu.Lock()
	defer w.flight.mu.Unlock()
	w.flight.body = append(w.flight.body, p...)
	return len(p), nil
}

func (writer) Flush() {}

// parkedWriter is a park.Writer whose client takes everything at once.
type parkedWriter struct{ writer }

func (w parkedWriter) Park(events park.Events) {
	w.flight.parked = true
	w.flight.stop = context.AfterFunc(w.flight.ctx, events.Gone)
}

func (w parkedWriter) Unpark() {
	w.flight.parked = false
	w.flight.stop()
}

func (w parkedWriter) Finish() {
	w.flight.stop()
	close(w.flight.done)
}

func (parkedWriter) Drained() bool { return true }
