package httpd

import (
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A Parker is a ResponseWriter whose handler may return before it has
// answered.
type Parker interface {
	http.ResponseWriter
	// Park says that the response is to come, by Finish. When the client goes
	// away first, gone is called; when it sends another request, which must
	// wait, behind is. Both only after the handler has returned.
	Park(gone, behind func())
	// Unpark takes that back, before the handler returns.
	Unpark()
	// Finish ends the response. It may be called from any goroutine, once.
	Finish()
}

// A response collects what a handler writes and sends it whole.
type response struct {
	conn                   *conn
	header                 http.Header
	status                 int
	body                   []byte
	proto10, head, closing bool
	parked, finished       bool
	gone, behind           func()
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *response) SetWriteDeadline(time.Time) error { return nil }
func (w *response) SetReadDeadline(t time.Time) error {
	return w.conn.nc.SetReadDeadline(t)
}

func (w *response) Park(gone, behind func()) { w.parked, w.gone, w.behind = true, gone, behind }
func (w *response) Unpark()                  { w.parked = false }

func (w *response) Finish() {
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == gone {
		return
	}
	w.finish()
	if c.state == parked {
		c.response = nil
		if len(c.ahead) > 0 {
			c.state = serving
			go c.serve()
			return
		}
		c.state = idle
		c.server.poller.arm(c)
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// finish sends the response, with the lock held.
func (w *response) finish() {
	w.finished = true
	w.WriteHeader(http.StatusOK)
	pb := buffers.Get().(*[]byte)
	b := (*pb)[:0]
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(w.status)...)
	b = append(b, "\r\nDate: "...)
	b = append(b, date()...)
	for k, vs := range w.header {
		if k == "Content-Length" {
			continue
		}
		for _, v := range vs {
			b = append(b, "\r\n"...)
			b = append(b, k...)
			b = append(b, ": "...)
			b = append(b, v...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(w.body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, w.body...)
	n, err := syscall.Write(w.conn.fd, b)
	if err != nil || n < len(b) {
		n = max(n, 0)
		w.conn.nc.Write(b[n:])
	}
	if cap(b) <= 64<<10 {
		*pb = b
		buffers.Put(pb)
	}
	w.body, w.header = nil, nil
	if w.closing {
		w.conn.close()
	}
}

var clock struct {
	sync.Mutex
	at   int64
	text string
}

func date() string {
	now := time.Now()
	clock.Lock()
	defer clock.Unlock()
	if s := now.Unix(); s != clock.at {
		clock.at, clock.text = s, now.UTC().Format(http.TimeFormat)
	}
	return clock.text
}
