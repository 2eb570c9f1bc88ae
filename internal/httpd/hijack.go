//go:build linux

package httpd

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// Hijack implements http.Hijacker. What it returns also is a [park.Conn].
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c := w.conn
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if w.headed || w.parked || w.status != 0 && w.status != http.StatusSwitchingProtocols {
		return nil, nil, errHijackUnsupported
	}
	w.body.mu.Lock()
	w.body.r = nil
	w.body.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == gone {
		return nil, nil, net.ErrClosed
	}
	w.hijacked = true
	ahead := c.take(w.r)
	nc := &netConn{conn: c}
	in := bufio.NewReaderSize(nc, max(hijackBuffer, ahead))
	if ahead > 0 {
		c.mu.Unlock()
		in.Peek(ahead)
		c.mu.Lock()
	}
	return nc, bufio.NewReadWriter(in, bufio.NewWriterSize(nc, hijackBuffer)), nil
}

// hijackBuffer is the size of the buffers of connections that are taken over,
// which are many, and mostly idle.
const hijackBuffer = 512

// take gives the connection away, with the lock held. It returns how much was
// read ahead.
func (c *conn) take(r *reader) (ahead int) {
	c.ahead = r.rest()
	c.state = hijacked
	c.taken = true
	c.readUntil, c.writeTill = 0, 0
	c.w = nil
	c.server.leave()
	return len(c.ahead)
}

// pass gives a connection of HTTP/2 to the server for that.
func (c *conn) pass(r *reader) {
	if c.server.others == nil {
		c.refuse(statusError{http.StatusHTTPVersionNotSupported, "unsupported protocol version"})
		return
	}
	c.mu.Lock()
	if c.state == gone {
		c.mu.Unlock()
		return
	}
	c.take(r)
	c.mu.Unlock()
	c.server.others.hand(&netConn{conn: c})
}

// A netConn is a connection in the hands of a handler. It is a park.Conn.
type netConn struct {
	*conn
	writeTurn sync.Mutex
	unblocked bool
}

func (c *netConn) Read(p []byte) (int, error) {
	n, err := c.conn.read(p)
	if err == errNothing {
		err = park.ErrNothing
	}
	return n, err
}

func (c *netConn) Write(p []byte) (int, error) {
	c.writeTurn.Lock()
	defer c.writeTurn.Unlock()
	if !c.unblocked {
		return c.conn.write(p, 0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == hijacked {
		c.send(p)
	}
	if c.state != hijacked {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

// Unblock implements park.Conn.
func (c *netConn) Unblock(drained func()) {
	c.writeTurn.Lock()
	defer c.writeTurn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unblocked = true
	c.onDrained = drained
}

// Drained implements park.Conn.
func (c *netConn) Drained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out) == 0
}

// Close implements net.Conn.
func (c *netConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state != hijacked:
		return net.ErrClosed
	case len(c.out) > 0:
		c.state = parting
		wake(&c.reading)
		c.tellReadable()
	default:
		c.conn.close()
	}
	return nil
}

func (c *netConn) LocalAddr() net.Addr                { return c.localAddr() }
func (c *netConn) RemoteAddr() net.Addr               { return c.remoteAddr() }
func (c *netConn) SetReadDeadline(t time.Time) error  { c.setReadDeadline(t); return nil }
func (c *netConn) SetWriteDeadline(t time.Time) error { c.setWriteDeadline(t); return nil }
func (c *netConn) SetDeadline(t time.Time) error {
	c.setReadDeadline(t)
	c.setWriteDeadline(t)
	return nil
}

// OnReadable implements park.Conn.
func (c *netConn) OnReadable(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readable = f
	if c.state != hijacked || c.again || c.hup || len(c.ahead) > 0 {
		c.tellReadable()
	}
}

// tellReadable calls who waits for input, with the lock held.
func (c *conn) tellReadable() {
	if f := c.waiting(); f != nil {
		go func() {
			growStack(c.fd)
			f()
		}()
	}
}

// waiting returns who waits for input and is to be called, with the lock held;
// nil: nobody. To look whether the poller's news is old would cost more than to
// tell them for nothing, which is rare.
func (c *conn) waiting() func() {
	f := c.readable
	if f != nil {
		c.readable, c.told = nil, true
	}
	return f
}
