// Package parktest has requests without a network, for tests in
// testing/synctest bubbles: a handler answers them while they are held, or
// leaves them parked, as on the project's own server.
package parktest

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A Flight is a request on its way. What is answered is in the recorder; it may
// be read when everybody waits.
type Flight struct {
	*httptest.ResponseRecorder
	ctx    context.Context
	cancel func()
	done   chan struct{}
	parked bool
	stop   func() bool
}

// Fly brings a request to a handler. If it parks, the handler may leave it.
func Fly(h http.Handler, r *http.Request, parks bool) *Flight {
	f := &Flight{ResponseRecorder: httptest.NewRecorder(), done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(r.Context())
	var w http.ResponseWriter = f.ResponseRecorder
	if parks {
		w = writer{f}
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

// writer is a park.Writer whose client takes everything at once.
type writer struct{ *Flight }

func (w writer) Park(events park.Events) {
	w.parked = true
	w.stop = context.AfterFunc(w.ctx, events.Gone)
}

func (w writer) Unpark() {
	w.parked = false
	w.stop()
}

func (w writer) Finish() {
	w.stop()
	close(w.done)
}

func (writer) Drained() bool { return true }
