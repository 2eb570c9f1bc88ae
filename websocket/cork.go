package websocket

import (
	"bufio"
	"net"
	"net/http"
	"sync"

	"github.com/mochibosh/mochibosh/internal/park"
)

// corked is a network connection that can be told to wait: what is written
// while the cork is in leaves in one piece. That is one system call, and one
// packet, for all that a session has to say at a time.
type corked struct {
	net.Conn

	mu     sync.Mutex
	in     bool
	buf    *[]byte // of corkBuffers; nil while nothing waits
	parted bool    // the library has sent the close frame
}

// corkSize is how much may wait. A longer write goes by itself.
const corkSize = 16 << 10

var corkBuffers = sync.Pool{New: func() any { b := make([]byte, 0, corkSize); return &b }}

// Write implements net.Conn. The library's writes are whole frames.
func (c *corked) Write(p []byte) (int, error) {
	const closeFrame = 0x88 // RFC 6455 §5.2
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parted = c.parted || len(p) > 0 && p[0] == closeFrame
	return c.write(p)
}

// send writes a frame past the library. RFC 6455 §5.5.1: not after the close
// frame.
func (c *corked) send(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parted {
		return net.ErrClosed
	}
	_, err := c.write(p)
	return err
}

func (c *corked) write(p []byte) (int, error) {
	if c.buf != nil && len(*c.buf)+len(p) > corkSize {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	if !c.in || len(p) > corkSize {
		return c.Conn.Write(p)
	}
	if c.buf == nil {
		c.buf = corkBuffers.Get().(*[]byte)
	}
	*c.buf = append(*c.buf, p...)
	return len(p), nil
}

// cork puts the cork in.
func (c *corked) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = true
}

// uncork pulls it out and sends what waits, within the last write's deadline.
func (c *corked) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = false
	return c.flush()
}

func (c *corked) flush() error {
	if c.buf == nil {
		return nil
	}
	_, err := c.Conn.Write(*c.buf)
	*c.buf = (*c.buf)[:0]
	corkBuffers.Put(c.buf)
	c.buf = nil
	return err
}

// hijacker has the library write through a corked connection, and read with a
// small buffer of ours: most messages are small, and idle connections are many.
type hijacker struct {
	http.ResponseWriter
	conn *corked
	in   *bufio.Reader
	idle park.Conn // nil: the connection takes a goroutine to wait for input
}

const readBuffer = 512

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.idle, _ = conn.(park.Conn)
	h.conn = &corked{Conn: conn}
	h.in = rw.Reader
	if h.in.Buffered() == 0 { // else the library refuses
		h.in = bufio.NewReaderSize(h.conn, readBuffer)
	}
	return h.conn, bufio.NewReadWriter(h.in, rw.Writer), nil
}
