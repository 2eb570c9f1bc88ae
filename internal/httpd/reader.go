//go:build linux

package httpd

import (
	"bufio"
	"io"
	"sync"
)

// A reader is what a connection needs while requests are read from it. One that
// waits has none.
type reader struct {
	*bufio.Reader
	conn  *conn
	first bool // nothing of the request was read yet
	head  []byte
}

const bufferSize = 4096

var readers = sync.Pool{New: func() any {
	return &reader{Reader: bufio.NewReaderSize(nil, bufferSize)}
}}

func newReader(c *conn) *reader {
	r := readers.Get().(*reader)
	r.conn = c
	r.Reset((*source)(r))
	return r
}

// rest returns what was read of the next request.
func (r *reader) rest() []byte {
	p, _ := r.Peek(r.Buffered())
	rest := append([]byte(nil), p...)
	r.Discard(len(p))
	return append(rest, r.conn.ahead...)
}

func (r *reader) release() {
	r.conn = nil
	r.Reset(nil)
	if cap(r.head) > 4*bufferSize {
		r.head = nil
	}
	readers.Put(r)
}

// A source is where a reader's bytes come from.
type source reader

// Read implements io.Reader. For the first bytes of a request it does not wait:
// without them, the connection needs no reader.
func (s *source) Read(p []byte) (int, error) {
	c := s.conn
	if c == nil {
		return 0, io.ErrClosedPipe
	}
	if !s.first {
		return c.read(p)
	}
	c.mu.Lock()
	n, ok := c.readAhead(p)
	var err error
	if !ok {
		n, err = c.tryRead(p)
	}
	if n > 0 {
		s.first = false
	}
	c.mu.Unlock()
	return n, err
}
