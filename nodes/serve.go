package nodes

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/internal/park"
)

// This file is the node with the session: it serves what others forward.

const (
	// window is how many bytes of an answer may be on their way to the client.
	window = 64 << 10
	// ackEvery is how often what was taken of it is told.
	ackEvery = window / 4
	// maxPiece is how much of an answer is one message.
	maxPiece = 256 << 10
)

// take serves a request.
func (n *Node) take(msg *nats.Msg) {
	if msg.Reply == "" {
		return
	}
	w := &reply{node: n, back: msg.Reply, header: make(http.Header)}
	req, err := parseRequest(msg.Data)
	if err != nil {
		n.opts.Logger.Warn("forwarded request not served", "error", err)
		w.refuse()
		return
	}
	if n.serving.Add(1) > int64(n.opts.MaxForwards) {
		n.serving.Add(-1)
		n.opts.Logger.Warn("forwarded request not served", "error", errMany)
		w.refuse()
		return
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), hopsKey{}, req.hops))
	w.cancel = cancel
	r := (&http.Request{
		Body:          body{bytes.NewReader(req.body)},
		ContentLength: int64(len(req.body)),
	}).WithContext(ctx)
	if err := req.head.apply(r); err != nil {
		n.opts.Logger.Warn("forwarded request not served", "error", err)
		w.refuse()
		w.over()
		return
	}
	n.counters.served.Add(1)
	n.in.Store(w.back, w)
	go w.serve(r)
}

// A body is that of a forwarded request.
type body struct{ *bytes.Reader }

// Close implements io.Closer.
func (body) Close() error { return nil }

// Arrived says that nothing is to be waited for.
func (body) Arrived() bool { return true }

// about takes what the node with the client says of a request.
func (n *Node) about(data []byte) {
	m, err := parseNews(data)
	if err != nil {
		return
	}
	v, ok := n.in.Load(m.about)
	if !ok {
		return // it is answered
	}
	switch w := v.(*reply); m.what {
	case newsGone:
		w.gone()
	case newsBehind:
		w.behind()
	case newsTaken:
		w.takenUpTo(m.taken)
	}
}

// A reply is the answer to a forwarded request. It is a park.Writer.
type reply struct {
	node   *Node
	back   string // where it is sent to
	cancel context.CancelFunc

	// The handler's, and then of whoever answers: one at a time.
	header http.Header
	status int
	buf    []byte

	mu       sync.Mutex
	pieces   uint64 // sent
	checked  uint64 // of those, when it was asked last how many came
	events   park.Events
	parked   bool
	returned bool // the handler has: only then is it told what happens
	drained  bool // it is to be told that the client has taken enough
	waits    bool // another request does, behind this one
	left     bool // the client
	finished bool
	sent     uint64
	taken    uint64
	full     bool // Drained said no
}

func (w *reply) serve(r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				w.node.opts.Logger.Error("panic while a forwarded request was served", "panic", p)
			}
			w.refuse()
			w.over()
			return
		}
		if !w.handled() {
			w.Finish()
		}
	}()
	w.node.handler.ServeHTTP(w, r)
}

// handled is called when the handler has returned. It reports whether the answer is
// still to come; then whoever gives it is told what has happened meanwhile.
func (w *reply) handled() (parked bool) {
	w.mu.Lock()
	w.returned = true
	e, left, waits, drained := w.events, w.left, w.waits, w.drained
	parked = w.parked
	told := !parked || w.finished
	w.mu.Unlock()
	switch {
	case told:
	case left:
		w.leave(e.Gone)
	default:
		if waits && e.Behind != nil {
			go e.Behind()
		}
		if drained && e.Drained != nil {
			go e.Drained()
		}
	}
	return parked
}

// leave is the end of an answer whose client is gone; f is told.
func (w *reply) leave(f func()) {
	w.over()
	if f != nil {
		go f()
	}
}

// over is the end, once.
func (w *reply) over() {
	w.mu.Lock()
	done := w.finished
	w.finished = true
	w.mu.Unlock()
	if !done {
		w.node.in.Delete(w.back)
		w.node.serving.Add(-1)
		w.cancel()
	}
}

// Header implements http.ResponseWriter.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *reply) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// Flush implements http.Flusher.
func (w *reply) Flush() { w.send(0) }

// SetWriteDeadline is for http.ResponseController: writing never waits.
func (w *reply) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline is for http.ResponseController: the body is there.
func (w *reply) SetReadDeadline(time.Time) error { return nil }

// send sends what was written.
func (w *reply) send(flags byte) {
	w.WriteHeader(http.StatusOK)
	for first := true; first || len(w.buf) > 0; first = false {
		p := piece{data: w.buf[:min(len(w.buf), maxPiece)]}
		w.buf = w.buf[len(p.data):]
		w.mu.Lock()
		p.n = w.pieces
		w.pieces++
		w.sent += uint64(len(p.data))
		w.mu.Unlock()
		if p.n == 0 {
			p.flags, p.head = pieceHead, answerHead{w.status, w.header}
		}
		if len(w.buf) == 0 {
			p.flags |= flags
		}
		w.publish(&p)
	}
	w.buf = nil
}

func (w *reply) publish(p *piece) {
	message, err := p.append(nil)
	if err == nil {
		err = w.node.opts.Conn.Publish(w.back, message)
	}
	if err != nil { // the client repeats it, when the other node misses this one
		w.node.opts.Logger.Warn("forwarded request not answered", "error", err)
		go w.gone() // it is not to be told what follows
	}
}

// refuse says that there is no answer.
func (w *reply) refuse() { w.publish(&piece{flags: pieceRefused | pieceEnd}) }

// Park implements park.Writer.
func (w *reply) Park(e park.Events) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events, w.parked = e, true
}

// Unpark implements park.Writer.
func (w *reply) Unpark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events, w.parked = park.Events{}, false
}

// Finish implements park.Writer.
func (w *reply) Finish() {
	w.mu.Lock()
	done := w.finished
	w.mu.Unlock()
	if !done {
		w.send(pieceEnd)
		w.over()
	}
}

// Drained implements park.Writer.
func (w *reply) Drained() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = w.sent-w.taken > window
	return !w.full
}

func (w *reply) takenUpTo(n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = max(w.taken, min(n, w.sent))
	if w.full && w.sent-w.taken <= window {
		w.full = false
		if w.drained = !w.returned; w.returned && w.events.Drained != nil && !w.finished {
			go w.events.Drained()
		}
	}
}

func (w *reply) behind() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = true
	if w.returned && w.events.Behind != nil && !w.finished {
		go w.events.Behind()
	}
}

// gone says that the client is.
func (w *reply) gone() {
	w.mu.Lock()
	w.left = true
	f, waits := w.events.Gone, w.parked && w.returned
	if w.finished {
		f = nil
	}
	w.mu.Unlock()
	if !waits {
		w.cancel() // the handler ends, and this with it
		return
	}
	w.leave(f)
}
