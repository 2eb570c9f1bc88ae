//go:build linux

package httpd

import (
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

type state uint8

const (
	idle      state = iota // waits for a request, without a goroutine
	serving                // a goroutine reads, or runs a handler
	parked                 // waits for an answer, without a goroutine
	draining               // waits for the client to read an answer
	lingering              // closed for writing; what still comes is thrown away
	hijacked               // a handler's own
	parting                // the same, closed, but for what the client has not read
	gone                   // closed
)

// A conn is one connection. All that is done with its descriptor is done with
// the lock held, and does not block: closing it is safe at any time.
type conn struct {
	server *Server
	remote string
	fd     int

	mu         sync.Mutex
	state      state
	again, hup bool  // there may be more to read; there may be the end
	since      int64 // when it became idle, or began to linger, in seconds
	ahead      []byte
	w          *response
	out        []byte // what the client has not read yet
	slow       *time.Timer
	posted     bool   // by the last request
	taken      bool   // by a handler; the server does not count it any more
	late       bool   // the other end did not read in time
	told       bool   // readable was called, and nothing read since
	readable   func() // of one that was taken, and the next
	onDrained  func()

	// For goroutines that wait; closed when there is something to do for them.
	reading, writing     chan struct{}
	readUntil, writeTill int64 // deadlines in nanoseconds; zero: none
}

// ready is called by the poller. It returns what there is to do; zero: nothing.
func (c *conn) ready(events uint32) (t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == gone {
		return t
	}
	if events&(syscall.EPOLLRDHUP|broken) != 0 {
		c.hup = true
	}
	if events&(syscall.EPOLLOUT|broken) != 0 {
		wake(&c.writing)
		if len(c.out) > 0 {
			c.send(nil)
		}
	}
	if events&(incoming|broken) != 0 {
		c.again = true
		wake(&c.reading)
		t = c.input()
	}
	return t
}

// input goes on, with the lock held, when there may be something to read.
func (c *conn) input() (t task) {
	switch c.state {
	case idle:
		c.state = serving
		t.conn = c
	case parked:
		c.look()
	case serving:
		if c.w != nil && c.w.watched() {
			c.look()
		}
	case lingering:
		c.discard()
	case hijacked:
		if t.f = c.waiting(); t.f != nil {
			t.conn = c
		}
	}
	return t
}

// look finds out, with the lock held, what there is to read while an answer is
// to come: the end, or another request.
func (c *conn) look() {
	seen := something
	if !c.w.pipelined {
		seen = c.peek()
	}
	switch seen {
	case theEnd:
		w := c.w
		if c.state == parked {
			c.close()
		}
		w.left()
	case something:
		if c.state == parked {
			c.w.behind()
		}
	}
}

// serve handles requests until there are none, or one waits.
func (c *conn) serve() {
	r := newReader(c)
	for c.one(r) {
	}
	r.release()
}

// growStack has the goroutine's stack grow once, while it is empty. To parse and
// to answer needs more than it begins with, and growing copies what is there,
// each time.
//
//go:noinline
func growStack(i int) byte {
	var room [5 << 10]byte
	return room[i&1]
}

// one handles one request, and reports whether the next may follow; if not,
// the reader is no longer the connection's.
func (c *conn) one(r *reader) (more bool) {
	req, w, err := r.request()
	switch {
	case err == errNothing:
		return c.rest(r)
	case err == errHTTP2:
		c.pass(r)
		return false
	case err != nil:
		c.refuse(err)
		return false
	}
	c.mu.Lock()
	c.w = w
	c.readUntil, c.writeTill = 0, 0
	c.mu.Unlock()
	if !c.handle(w, req) || w.hijacked {
		return false
	}
	if !w.body.finish() {
		w.closing, w.unread = true, true
	}
	c.mu.Lock()
	w.returned, w.r = true, nil
	switch {
	case c.state == gone:
		if w.parked {
			w.left()
		}
	case w.parked && !w.finished:
		c.park(r)
	default:
		w.finish()
		if more = c.next(); c.state == draining {
			c.ahead = r.rest()
		}
	}
	c.mu.Unlock()
	return more && c.rest(r)
}

// handle runs the handler, and reports whether it went well.
func (c *conn) handle(w *response, req *http.Request) (ok bool) {
	defer func() {
		if ok {
			return
		}
		p := recover()
		if err, is := p.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
			c.server.logf("panic serving %s: %v\n%s", c.remote, p, debug.Stack())
		}
		w.body.finish()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.state != hijacked {
			c.close()
		}
		w.over()
	}()
	if req.RequestURI == "*" && req.Method == http.MethodOptions {
		return true // a question to the server itself (RFC 9110 §9.3.7)
	}
	c.server.Handler.ServeHTTP(w, req)
	return true
}

// park leaves the connection to whoever answers, with the lock held.
func (c *conn) park(r *reader) {
	c.ahead = r.rest()
	c.state = parked
	switch {
	case len(c.ahead) > 0:
		c.w.behind()
	case c.again || c.hup:
		c.look()
	}
}

// next goes on after an answer, with the lock held. It reports whether the next
// request may be read.
func (c *conn) next() bool {
	w := c.w
	c.w = nil
	switch {
	case c.state == gone:
		return false
	case len(c.out) > 0:
		c.state = draining
		c.w = w
		return false
	case w.closing:
		c.end(w.unread)
		return false
	}
	return true
}

// rest has a connection wait for the next request, if it is not there yet.
func (c *conn) rest(r *reader) (more bool) {
	if r.Buffered() > 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != serving {
		return false
	}
	if c.again || c.hup || len(c.ahead) > 0 {
		return true
	}
	c.idle()
	return false
}

// idle waits for a request, with the lock held.
func (c *conn) idle() {
	c.state = idle
	c.since = now()
	if c.server.closing.Load() {
		c.close()
	}
}

// resume goes on after an answer that did not come from serve, with the lock
// held.
func (c *conn) resume() {
	if !c.next() {
		return
	}
	if c.again || c.hup || len(c.ahead) > 0 {
		c.state = serving
		go func() {
			growStack(c.fd)
			c.serve()
		}()
		return
	}
	c.idle()
}

// refuse ends a connection on which no request came.
func (c *conn) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status, ok := err.(statusError); ok && c.state == serving {
		c.send([]byte(status.answer()))
		if len(c.out) == 0 {
			c.end(true)
			return
		}
	}
	c.close()
}

// end closes the connection, with the lock held. What was not read would have
// the kernel take back the answer: it is thrown away first, for a while.
func (c *conn) end(unread bool) {
	if c.state == gone {
		return
	}
	if !unread || syscall.Shutdown(c.fd, syscall.SHUT_WR) != nil {
		c.close()
		return
	}
	c.state = lingering
	c.since = now()
	c.discard()
}

// discard throws away what comes, with the lock held.
func (c *conn) discard() {
	var waste [4096]byte
	for range 64 {
		if n, err := c.tryRead(waste[:]); err == errNothing {
			return
		} else if err != nil || n == 0 {
			break
		}
	}
	c.close()
}

// close ends the connection at once, with the lock held.
func (c *conn) close() {
	if c.state == gone {
		return
	}
	c.state = gone
	c.server.poller.remove(c)
	syscall.Close(c.fd)
	c.keep(nil)
	c.ahead = nil
	c.server.left(c)
	if c.slow != nil {
		c.slow.Stop()
	}
	wake(&c.reading)
	wake(&c.writing)
	c.tellReadable()
	if !c.taken {
		c.server.leave()
	}
}

// ---- output

// send writes p without waiting, with the lock held; what the client does not
// take is kept and written when it does.
func (c *conn) send(p []byte) {
	if c.state == gone {
		return
	}
	kept := len(c.out) > 0
	if kept {
		p = append(c.out, p...)
	}
	n, err := c.tryWrite(p)
	switch {
	case err != nil && err != errNothing:
		c.lost()
	case n < len(p) && kept:
		if c.keep(p[n:]); n > 0 {
			c.slow.Reset(c.patience())
		}
	case n < len(p):
		c.keep(append([]byte(nil), p[n:]...))
		c.slow = time.AfterFunc(c.patience(), c.tooSlow)
	case kept:
		c.keep(nil)
		c.slow.Stop()
		c.slow = nil
		c.drained()
	}
}

// drained goes on when the client has read everything, with the lock held.
func (c *conn) drained() {
	switch {
	case c.state == draining:
		c.state = serving
		c.resume()
	case c.state == parting:
		c.close()
	case c.w != nil && c.w.events.Drained != nil:
		go c.w.events.Drained()
	case c.onDrained != nil:
		go c.onDrained()
	}
}

// patience is how long the client may take to read.
func (c *conn) patience() time.Duration {
	if c.writeTill != 0 {
		return max(0, time.Until(time.Unix(0, c.writeTill)))
	}
	return c.server.writeTimeout()
}

func (c *conn) tooSlow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > 0 {
		c.late = true
		c.lost()
	}
}

// lost is called, with the lock held, when the client cannot be written to.
func (c *conn) lost() {
	w := c.w
	c.close()
	if w != nil {
		w.left()
	}
}
