package httpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

type state uint8

const (
	idle    state = iota // waits for a request
	serving              // a goroutine reads, or runs the handler
	parked               // a response is to come from elsewhere
	gone                 // closed, or handed on
)

// A conn is one connection. While it is idle or parked nothing runs for it.
type conn struct {
	server *Server
	nc     *net.TCPConn
	fd     int
	remote string

	mu       sync.Mutex
	state    state
	ahead    []byte    // of the next request, read together with the last
	response *response // parked
}

// readable is called by the poller.
func (c *conn) readable() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case idle:
		c.state = serving
		go c.serve()
	case parked:
		c.peek()
	}
}

// peek finds out what there is to read while a response is to come: the end,
// or the next request, which has to wait for its turn.
func (c *conn) peek() {
	var b [1]byte
	n, _, err := syscall.Recvfrom(c.fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		c.server.poller.arm(c)
	case n > 0:
		if f := c.response.behind; f != nil {
			go f()
		}
	default:
		f := c.response.gone
		c.close()
		if f != nil {
			go f()
		}
	}
}

// close ends the connection, with the lock held.
func (c *conn) close() {
	if c.state != gone {
		c.state = gone
		c.server.forget(c)
		c.nc.Close()
	}
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

// serve handles requests until there is none, or one that waits.
func (c *conn) serve() {
	br := readers.Get().(*bufio.Reader)
	br.Reset(aheadReader{c})
	for c.one(br) {
		if br.Buffered() == 0 {
			break
		}
	}
	c.mu.Lock()
	if n := br.Buffered(); n > 0 && c.state != gone {
		ahead, _ := br.Peek(n)
		c.ahead = append([]byte(nil), ahead...)
	}
	br.Reset(nil)
	readers.Put(br)
	switch {
	case c.state == serving:
		c.state = idle
		c.server.poller.arm(c)
	case c.state == parked && len(c.ahead) > 0:
		if f := c.response.behind; f != nil {
			go f()
		}
	case c.state == parked:
		c.server.poller.arm(c)
	}
	c.mu.Unlock()
}

// aheadReader reads what is there of the next request first.
type aheadReader struct{ c *conn }

func (r aheadReader) Read(p []byte) (int, error) {
	if len(r.c.ahead) > 0 {
		n := copy(p, r.c.ahead)
		if r.c.ahead = r.c.ahead[n:]; len(r.c.ahead) == 0 {
			r.c.ahead = nil
		}
		return n, nil
	}
	return r.c.nc.Read(p)
}

// one handles one request, and reports whether to go on with the next.
func (c *conn) one(br *bufio.Reader) bool {
	c.nc.SetReadDeadline(time.Now().Add(c.server.headerTimeout()))
	req, err := http.ReadRequest(br)
	if err != nil {
		c.fail(err)
		return false
	}
	c.nc.SetReadDeadline(time.Time{})
	req.RemoteAddr = c.remote
	req = req.WithContext(context.Background())
	w := &response{conn: c, proto10: req.ProtoMinor == 0, head: req.Method == http.MethodHead, closing: req.Close, header: make(http.Header, 4)}
	c.server.Handler.ServeHTTP(w, req)
	if req.Body != nil {
		io.Copy(io.Discard, io.LimitReader(req.Body, 1<<18))
		req.Body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.parked && !w.finished {
		c.state, c.response = parked, w
		return false
	}
	if c.state == gone {
		return false
	}
	if !w.finished {
		w.finish()
	}
	return c.state == serving
}

// fail ends a connection whose request could not be read.
func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != io.EOF && c.state == serving {
		c.nc.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	}
	c.close()
}
