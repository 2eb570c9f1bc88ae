package park

import (
	"net/http"
	"sync/atomic"
)

// An Observer is what a handler answers through.
type Observer interface {
	http.ResponseWriter
	// Over is called once when the answer has ended, or will never come.
	Over()
}

// Observe has next answer through o, which writes to w, and calls Over when next
// has returned, or, if it left then, at the end of the answer or when the client is
// gone. Without this, a Writer would be hidden behind o, and who waits would need a
// goroutine.
//
// What o refers to is kept as long as the request is held.
func Observe(w http.ResponseWriter, o Observer, next http.Handler, r *http.Request) {
	pw, ok := w.(Writer)
	if !ok {
		defer o.Over()
		next.ServeHTTP(o, r)
		return
	}
	ow := &observed{Writer: pw, by: o}
	defer func() {
		if !ow.parked {
			ow.end()
		}
	}()
	next.ServeHTTP(ow, r)
}

type observed struct {
	Writer
	by     Observer
	gone   func()
	parked bool // the handler's
	ended  atomic.Bool
}

func (w *observed) end() {
	if !w.ended.Swap(true) {
		w.by.Over()
	}
}

func (w *observed) Header() http.Header         { return w.by.Header() }
func (w *observed) WriteHeader(status int)      { w.by.WriteHeader(status) }
func (w *observed) Write(p []byte) (int, error) { return w.by.Write(p) }

// Unwrap is for http.ResponseController.
func (w *observed) Unwrap() http.ResponseWriter { return w.by }

// Park implements Writer.
func (w *observed) Park(e Events) {
	w.gone, e.Gone = e.Gone, w.left
	w.parked = true
	w.Writer.Park(e)
}

func (w *observed) left() {
	if w.gone != nil {
		w.gone()
	}
	w.end()
}

// Unpark implements Writer.
func (w *observed) Unpark() {
	w.parked = false
	w.Writer.Unpark()
}

// Finish implements Writer.
func (w *observed) Finish() {
	w.Writer.Finish()
	w.end()
}
