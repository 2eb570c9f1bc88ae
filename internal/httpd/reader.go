//go:build linux

package httpd

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// A reader is what a connection needs while it is read from; the others of
// them do without.
type reader struct {
	*bufio.Reader
	conn  *conn
	limit int // bytes of the header that may still come; negative: any
	until time.Time

	// For try, which is made once, since it would cost an allocation each time.
	p   []byte
	n   int
	err error
	try func(fd uintptr) bool
}

const bufferSize = 4096

var readers = sync.Pool{New: func() any {
	r := new(reader)
	r.Reader = bufio.NewReaderSize(nil, bufferSize)
	r.try = func(fd uintptr) bool {
		for {
			if r.n, r.err = syscall.Read(int(fd), r.p); r.err != syscall.EINTR {
				return true
			}
		}
	}
	return r
}}

func newReader(c *conn) *reader {
	r := readers.Get().(*reader)
	r.conn, r.limit, r.until = c, -1, time.Time{}
	r.Reset((*source)(r))
	return r
}

// release gives the reader back; what it has of the next request stays with the
// connection.
func (r *reader) release() (ahead []byte) {
	if n := r.Buffered(); n > 0 {
		p, _ := r.Peek(n)
		ahead = append(ahead, p...)
	}
	r.conn, r.p, r.err = nil, nil, nil
	r.Reset(nil)
	readers.Put(r)
	return ahead
}

var errHeaderTooBig = errors.New("httpd: header too big")

// A source is where a reader's bytes come from.
type source reader

// Read takes what is there without asking for a deadline first: in most cases
// the poller has just told that something is.
func (s *source) Read(p []byte) (n int, err error) {
	if s.limit == 0 {
		return 0, errHeaderTooBig
	}
	if s.limit > 0 {
		p = p[:min(len(p), s.limit)]
	}
	if c := s.conn; len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil
		}
	} else if n, err = s.now(p); err == syscall.EAGAIN {
		c.tcp.SetReadDeadline(s.until)
		n, err = c.tcp.Read(p)
	}
	if s.limit > 0 {
		s.limit -= n
	}
	return n, err
}

func (s *source) now(p []byte) (n int, err error) {
	s.p = p
	err = s.conn.raw.Read(s.try)
	s.p = nil
	switch {
	case err != nil:
		return 0, err
	case s.err != nil:
		return 0, s.err
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}
