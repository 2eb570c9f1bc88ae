package park

import (
	"net/http"
	"sync"
)

// Observe has serve answer through note, which writes to w, and calls over once
// that is over: when serve has returned, or, if it left then, at the end of the
// answer or when the client is gone. Without this, a Writer would be hidden behind
// note, and who waits would need a goroutine.
//
// What over refers to is kept as long as the request is held.
func Observe(w, note http.ResponseWriter, serve func(http.ResponseWriter), over func()) {
	pw, ok := w.(Writer)
	if !ok {
		defer over()
		serve(note)
		return
	}
	o := &observer{Writer: pw, note: note, over: sync.OnceFunc(over)}
	defer func() {
		if !o.parked {
			o.over()
		}
	}()
	serve(o)
}

type observer struct {
	Writer
	note   http.ResponseWriter
	over   func()
	parked bool // the handler's
}

func (o *observer) Header() http.Header         { return o.note.Header() }
func (o *observer) WriteHeader(status int)      { o.note.WriteHeader(status) }
func (o *observer) Write(p []byte) (int, error) { return o.note.Write(p) }

// Unwrap is for http.ResponseController.
func (o *observer) Unwrap() http.ResponseWriter { return o.note }

// Park implements Writer.
func (o *observer) Park(e Events) {
	gone := e.Gone
	e.Gone = func() {
		if gone != nil {
			gone()
		}
		o.over()
	}
	o.parked = true
	o.Writer.Park(e)
}

// Unpark implements Writer.
func (o *observer) Unpark() {
	o.parked = false
	o.Writer.Unpark()
}

// Finish implements Writer.
func (o *observer) Finish() {
	o.Writer.Finish()
	o.over()
}
