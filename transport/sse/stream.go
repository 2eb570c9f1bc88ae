package sse

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// stream writes events to one response.
type stream struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	ping    time.Duration
	timeout time.Duration
	buf     []byte
}

func newStream(w http.ResponseWriter, opts *push.Options) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx and its kin would hold events back
	return &stream{w: w, rc: http.NewResponseController(w), ping: opts.Ping, timeout: opts.WriteTimeout}
}

// serve writes responses until the client is gone, another connection took
// over, or the session ended.
func (st *stream) serve(ctx context.Context, s *transport.Session, attach uint64, first transport.Response) {
	r, numbers := first, true
	for {
		if err := st.write(r, numbers); err != nil || r.Replaced || r.End != nil {
			return
		}
		var err error
		numbers = false
		r, err = s.Pull(ctx, transport.Pull{Attach: attach, After: r.Last(), Wait: st.ping, Again: true})
		if err != nil {
			return
		}
	}
}

// write writes one event. An empty one is a sign of life.
func (st *stream) write(r transport.Response, numbers bool) error {
	st.buf = st.buf[:0]
	if len(r.Frames) > 0 {
		st.buf = append(st.buf, "id: "...)
		st.buf = strconv.AppendUint(st.buf, r.Last(), 10)
		st.buf = append(st.buf, '\n')
	}
	st.buf = append(st.buf, "data: "...)
	start := len(st.buf)
	st.buf = oneLine(push.AppendAnswer(st.buf, r, numbers), start)
	st.buf = append(st.buf, "\n\n"...)

	// The server's own write time-out would end the stream; each write has
	// its own. Writers that know no deadlines do without.
	_ = st.rc.SetWriteDeadline(time.Now().Add(st.timeout))
	if _, err := st.w.Write(st.buf); err != nil {
		return err
	}
	return st.rc.Flush()
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
