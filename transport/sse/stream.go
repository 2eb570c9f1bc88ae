package sse

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// stream writes events to one response.
type stream struct {
	w       http.ResponseWriter
	session *transport.Session
	attach  uint64
	ping    time.Duration
	timeout time.Duration
}

func newStream(w http.ResponseWriter, opts *push.Options, s *transport.Session, attach uint64) *stream {
	h := w.Header()
	h["Content-Type"] = eventStream
	h["X-Content-Type-Options"] = nosniff
	h["X-Accel-Buffering"] = unbuffered
	return &stream{w: w, session: s, attach: attach, ping: opts.Ping, timeout: opts.WriteTimeout}
}

// Shared values: a header line costs no allocation then.
var (
	eventStream = []string{"text/event-stream"}
	nosniff     = []string{"nosniff"}
	unbuffered  = []string{"no"} // nginx and its kin would hold events back
)

// serve writes responses until the client is gone, another connection took
// over, or the session ended. Where w can be parked, it leaves that to those who
// have something to say, and returns.
func (st *stream) serve(ctx context.Context, first transport.Response) {
	if w, ok := st.w.(park.Writer); ok {
		st.leave(w, first)
		return
	}
	r, numbers := first, true
	for {
		if err := st.write(r, numbers); err != nil || isLast(r) {
			return
		}
		var err error
		numbers = false
		r, err = st.session.Pull(ctx, transport.Pull{Attach: st.attach, After: r.Last(), Wait: st.ping, Again: true})
		if err != nil {
			return
		}
	}
}

// leave has the session's answers written as they come.
func (st *stream) leave(w park.Writer, first transport.Response) {
	f := &push.Follower{Session: st.session, Attach: st.attach, Wait: st.ping, Taken: w.Drained}
	f.Say = func(r transport.Response) bool {
		st.write(r, false)
		if isLast(r) {
			w.Finish()
		}
		return !isLast(r)
	}
	w.Park(park.Events{Gone: f.Stop, Drained: f.GoOn})
	if st.write(first, true); isLast(first) {
		w.Finish()
		return
	}
	f.Begin(first.Last())
}

func isLast(r transport.Response) bool { return r.Replaced || r.Later > 0 || r.End != nil }

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// maxPooled is the largest buffer that is kept for the next event.
const maxPooled = 64 << 10

// write writes one event. An empty one is a sign of life.
func (st *stream) write(r transport.Response, numbers bool) error {
	buf := buffers.Get().(*[]byte)
	*buf = appendEvent((*buf)[:0], r, numbers)
	defer func() {
		if cap(*buf) <= maxPooled {
			buffers.Put(buf)
		}
	}()
	// The server's own write time-out would end the stream; each write has
	// its own. Writers that know no deadlines do without.
	rc := http.NewResponseController(st.w)
	_ = rc.SetWriteDeadline(time.Now().Add(st.timeout))
	if _, err := st.w.Write(*buf); err != nil {
		return err
	}
	return rc.Flush()
}

func appendEvent(b []byte, r transport.Response, numbers bool) []byte {
	if r.Later > 0 {
		b = append(b, "retry: "...)
		b = strconv.AppendInt(b, r.Later.Milliseconds(), 10)
		return append(b, "\n\n"...)
	}
	if len(r.Frames) > 0 {
		b = append(b, "id: "...)
		b = strconv.AppendUint(b, r.Last(), 10)
		b = append(b, '\n')
	}
	b = append(b, "data: "...)
	start := len(b)
	b = oneLine(push.AppendAnswer(b, r, numbers), start)
	return append(b, "\n\n"...)
}

// oneLine replaces line breaks from an index on, which would end the data
// line. In JSON they stand only between tokens, where a space does as well.
func oneLine(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return b
}
