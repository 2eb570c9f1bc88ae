//go:build linux

package httpd

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type state uint8

const (
	idle    state = iota // waits for a request, without a goroutine
	serving              // a goroutine reads, or runs a handler
	parked               // waits for an answer, without a goroutine
	gone                 // closed, or another's
)

// A conn is one connection.
type conn struct {
	server *Server
	tcp    *net.TCPConn
	raw    syscall.RawConn
	fd     int
	remote string
	since  atomic.Int64 // when it became idle, in seconds

	mu    sync.Mutex
	state state
	ahead []byte // of the next request, what was read together with the last; serve's own
	w     *response
	out   []byte // what the client has not read yet
	slow  *time.Timer
}

func newConn(s *Server, tcp *net.TCPConn) (*conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{server: s, tcp: tcp, raw: raw, remote: tcp.RemoteAddr().String()}
	c.since.Store(time.Now().Unix())
	err = raw.Control(func(fd uintptr) { c.fd = int(fd) })
	return c, err
}

// ready is called by the poller.
func (c *conn) ready(events uint32) {
	c.mu.Lock()
	if events&syscall.EPOLLOUT != 0 && len(c.out) > 0 {
		c.send(nil)
	}
	var tell func()
	switch c.state {
	case idle:
		c.state = serving
		go c.serve()
	case serving, parked:
		tell = c.look()
	}
	c.mu.Unlock()
	if tell != nil {
		tell()
	}
}

// look finds out, with the lock held, what there is to read while an answer is
// to come: the end, or another request. It returns whom to tell.
func (c *conn) look() (tell func()) {
	var p [1]byte
	n, err := 0, error(nil)
	if c.raw.Control(func(fd uintptr) {
		n, _, err = syscall.Recvfrom(int(fd), p[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}) != nil {
		return nil
	}
	w := c.w
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		c.watch()
	case err != nil, n == 0:
		if c.state == parked {
			c.close()
		}
		return w.left()
	case w != nil && c.state == parked:
		tell, w.events.Behind = w.events.Behind, nil
	}
	return tell
}

// watch has the poller look again, with the lock held.
func (c *conn) watch() {
	events := uint32(forRead)
	if len(c.out) > 0 {
		events |= forWrite
	}
	c.server.poller.arm(c, events)
}

// close ends the connection, with the lock held.
func (c *conn) close() {
	if c.state == gone {
		return
	}
	c.leave()
	c.tcp.Close()
}

// leave takes the connection out of the server's hands, with the lock held.
func (c *conn) leave() {
	c.state = gone
	c.out = nil
	if c.slow != nil {
		c.slow.Stop()
	}
	c.server.poller.remove(c)
	c.server.forget(c)
}

// serve handles requests until none is there, or one waits.
func (c *conn) serve() {
	r := newReader(c)
	for c.one(r) && (r.Buffered() > 0 || len(c.ahead) > 0) {
	}
	ahead := r.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(ahead) > 0 {
		c.ahead = append(ahead, c.ahead...)
	}
	switch {
	case c.state == serving && c.w == nil:
		c.rest()
	case c.state == serving: // the handler has left, the answer is to come
		c.state = parked
		if c.w.finished {
			c.next()
		} else if f := c.w.events.Behind; f != nil && len(c.ahead) > 0 {
			c.w.events.Behind = nil
			go f()
		} else {
			c.watch()
		}
	}
}

// rest waits for the next request, with the lock held.
func (c *conn) rest() {
	c.state = idle
	c.since.Store(time.Now().Unix())
	c.watch()
}

// next goes on after an answer that came from elsewhere, with the lock held.
func (c *conn) next() {
	c.w = nil
	switch {
	case c.state == gone:
	case len(c.ahead) > 0:
		c.state = serving
		go c.serve()
	default:
		c.rest()
	}
}

// one handles one request, and reports whether the next may follow.
func (c *conn) one(r *reader) bool {
	req, status := c.read(r)
	if req == nil {
		c.fail(status)
		return false
	}
	w := newResponse(c, r, req)
	req.Body = &body{ReadCloser: req.Body, w: w, expects: expects(req)}
	c.mu.Lock()
	c.w = w
	c.mu.Unlock()
	if !c.handle(w, req.WithContext(requestContext{w: w})) || w.hijacked {
		return false
	}
	whole := w.skipRest(req.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	w.returned = true
	switch {
	case c.state == gone:
		return false
	case w.parked && w.finished:
	case w.parked:
		w.closing = w.closing || !whole
		return false
	default:
		w.closing = w.closing || !whole
		w.finish()
	}
	c.w = nil
	return c.state == serving
}

// handle runs the handler, and reports whether it went well.
func (c *conn) handle(w *response, req *http.Request) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, is := p.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
				c.server.log("panic serving %s: %v\n%s", c.remote, p, debug.Stack())
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.w = nil
			c.close()
		}
	}()
	c.server.Handler.ServeHTTP(w, req)
	return true
}

// fail ends a connection on which no request came; a status is told.
func (c *conn) fail(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status != 0 && c.state == serving {
		c.send([]byte("HTTP/1.1 " + statusLine(status) + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	}
	c.close()
}

// ---- output

// send writes p without waiting, with the lock held; what the client does not
// take is kept and written when it does. p may be used again afterwards.
func (c *conn) send(p []byte) {
	if c.state == gone {
		return
	}
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		p = c.out
	}
	n := 0
	for n < len(p) {
		m, err := c.write(p[n:])
		if err == syscall.EAGAIN {
			break
		}
		if err != nil {
			c.out = nil
			c.broken()
			return
		}
		n += m
	}
	if n == len(p) {
		if c.out != nil {
			c.out = nil
			c.slow.Stop()
			c.drained()
		}
		return
	}
	if c.out == nil {
		c.slow = time.AfterFunc(c.server.writeTimeout(), c.tooSlow)
	}
	c.out = append(make([]byte, 0, len(p)-n), p[n:]...)
	c.watch()
}

func (c *conn) write(p []byte) (n int, err error) {
	rawErr := c.raw.Control(func(fd uintptr) {
		for {
			if n, err = syscall.Write(int(fd), p); err != syscall.EINTR {
				return
			}
		}
	})
	if rawErr != nil {
		return 0, rawErr
	}
	return max(n, 0), err
}

// drained goes on when the client has read everything, with the lock held.
func (c *conn) drained() {
	w := c.w
	switch {
	case w == nil && c.state == idle && c.server.closing.Load():
		c.close()
	case w != nil && w.closing && w.finished:
		c.close()
	case w != nil && w.events.Drained != nil:
		go w.events.Drained()
	}
}

// broken is called, with the lock held, when the client cannot be written to.
func (c *conn) broken() {
	if c.state != serving {
		w := c.w
		c.close()
		if f := w.left(); f != nil {
			go f()
		}
	}
}

func (c *conn) tooSlow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > 0 {
		w := c.w
		c.close()
		if f := w.left(); f != nil {
			go f()
		}
	}
}

var _ io.Reader = (*source)(nil)
