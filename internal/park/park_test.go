package park_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A writer is a park.Writer whose events the test makes.
type writer struct {
	*httptest.ResponseRecorder
	events   park.Events
	parked   bool
	finished int
}

func newWriter() *writer { return &writer{ResponseRecorder: httptest.NewRecorder()} }

func (w *writer) Park(e park.Events) { w.events, w.parked = e, true }
func (w *writer) Unpark()            { w.events, w.parked = park.Events{}, false }
func (w *writer) Finish()            { w.finished++ }
func (w *writer) Drained() bool      { return true }

// A wait is what a request waits for.
type wait struct{ told *string }

func (w wait) Stop() bool { *w.told += "stop "; return true }
func (w wait) Hurry()     { *w.told += "hurry " }

func TestHold(t *testing.T) {
	request := func() (*http.Request, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		return httptest.NewRequestWithContext(ctx, "POST", "/", nil), cancel
	}
	var told, answered string
	var f func(string)
	ask := func(err error, now string) func(func(string)) (wait, error) {
		return func(g func(string)) (wait, error) {
			if f = g; now != "" {
				g(now)
			}
			return wait{&told}, err
		}
	}
	answer := func(s string) { answered += s }
	refused := errors.New("refused")

	t.Run("by leaving", func(t *testing.T) {
		told, answered = "", ""
		w := newWriter()
		r, _ := request()
		if err := park.Hold(w, r, ask(nil, ""), answer); err != nil || !w.parked || answered != "" {
			t.Fatal(err, w.parked, answered)
		}
		w.events.Behind()
		w.events.Gone()
		f("later")
		if told != "hurry stop " || answered != "later" || w.finished != 1 {
			t.Errorf("told %q, answered %q, finished %d", told, answered, w.finished)
		}
	})
	t.Run("by leaving, for nothing", func(t *testing.T) {
		w := newWriter()
		r, _ := request()
		if err := park.Hold(w, r, ask(refused, ""), answer); err != refused || w.parked || w.finished != 0 {
			t.Error(err, w.parked, w.finished)
		}
	})
	for name, w := range map[string]http.ResponseWriter{"by waiting": httptest.NewRecorder(), "by leaving, answered at once": newWriter()} {
		t.Run(name, func(t *testing.T) {
			answered = ""
			r, _ := request()
			if err := park.Hold(w, r, ask(nil, "now"), answer); err != nil || answered != "now" {
				t.Error(err, answered)
			}
		})
	}
	t.Run("by waiting, until the client is gone", func(t *testing.T) {
		told, answered = "", ""
		r, cancel := request()
		cancel()
		if err := park.Hold(httptest.NewRecorder(), r, ask(nil, ""), answer); err != context.Canceled || told != "stop " || answered != "" {
			t.Error(err, told, answered)
		}
		if err := park.Hold(httptest.NewRecorder(), r, ask(refused, ""), answer); err != refused {
			t.Error(err)
		}
	})
}

// A noting writer counts what is written.
type noting struct {
	http.ResponseWriter
	bytes, over int
}

func (n *noting) Over() { n.over++ }

func (n *noting) Write(p []byte) (int, error) {
	n.bytes += len(p)
	return n.ResponseWriter.Write(p)
}

func TestObserve(t *testing.T) {
	run := func(w http.ResponseWriter, serve func(w http.ResponseWriter)) *noting {
		n := &noting{ResponseWriter: w}
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { serve(w) })
		park.Observe(w, n, next, httptest.NewRequest("GET", "/", nil))
		return n
	}
	for name, w := range map[string]http.ResponseWriter{"not parked": newWriter(), "without parking": httptest.NewRecorder()} {
		t.Run(name, func(t *testing.T) {
			n := run(w, func(w http.ResponseWriter) { io.WriteString(w, "hello") })
			if n.bytes != 5 || n.over != 1 {
				t.Error(n.bytes, n.over)
			}
		})
	}
	t.Run("parked and answered", func(t *testing.T) {
		w := newWriter()
		var parked park.Writer
		n := run(w, func(w http.ResponseWriter) {
			parked = w.(park.Writer)
			parked.Park(park.Events{})
		})
		if n.over != 0 {
			t.Error("over too early")
		}
		io.WriteString(parked, "hello")
		parked.Finish()
		parked.Finish()
		if n.bytes != 5 || n.over != 1 {
			t.Error(n.bytes, n.over)
		}
	})
	t.Run("parked, and the client is gone", func(t *testing.T) {
		w := newWriter()
		gone := false
		n := run(w, func(w http.ResponseWriter) { w.(park.Writer).Park(park.Events{Gone: func() { gone = true }}) })
		if w.events.Gone(); !gone || n.over != 1 {
			t.Error(gone, n.over)
		}
	})
	t.Run("taken back", func(t *testing.T) {
		n := run(newWriter(), func(w http.ResponseWriter) {
			w.(park.Writer).Park(park.Events{})
			w.(park.Writer).Unpark()
		})
		if n.over != 1 {
			t.Error(n.over)
		}
	})
}
