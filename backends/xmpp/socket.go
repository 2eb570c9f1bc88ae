package xmpp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// buffer is what is read at once. Streams that wait for their server have none.
type buffer [16 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// A socket is a connection of the operating system that gets a buffer only
// when there is something to read. TLS may lie above it.
type socket struct {
	net.Conn
	caller  park.Caller           // the same, once it needs no goroutine to wait; nil: it does
	raw     syscall.RawConn       // of one that does
	take    func(fd uintptr) bool // made once
	patient bool                  // Read takes what wait has got, and never waits itself

	buf *buffer
	got []byte // read, and not taken yet; in buf
	err error
}

// newSocket returns nil for a connection that is no socket.
func newSocket(conn net.Conn) *socket {
	c, ok := conn.(syscall.Conn)
	if !ok || !canTryRead {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{Conn: conn, raw: raw}
	s.take = s.tryTake
	return s
}

// adopted has another take over the connection, for good.
func (s *socket) adopted(by park.Caller) {
	s.Conn, s.caller = by, by
	s.raw, s.take = nil, nil
}

// wait waits for something to read, and reads it. A connection that needs no
// goroutine for that does not wait: park.ErrNothing.
func (s *socket) wait() error {
	s.free()
	if s.caller != nil {
		return s.try()
	}
	if err := s.raw.Read(s.take); err != nil {
		return err
	}
	return s.err
}

// try reads what is there.
func (s *socket) try() error {
	buf := buffers.Get().(*buffer)
	n, err := s.caller.TryRead(buf[:])
	if n > 0 {
		s.buf, s.got = buf, buf[:n]
		return nil
	}
	buffers.Put(buf)
	return err
}

// tryTake reads what is there; it reports false if there is nothing yet.
func (s *socket) tryTake(fd uintptr) bool {
	buf := buffers.Get().(*buffer)
	n, again, err := tryRead(fd, buf[:])
	if n > 0 {
		s.buf, s.got = buf, buf[:n]
		return true
	}
	buffers.Put(buf)
	if err == nil && !again {
		err = io.EOF
	}
	s.err = err
	return !again
}

func (s *socket) free() {
	if s.buf != nil {
		buffers.Put(s.buf)
		s.buf, s.got = nil, nil
	}
}

// Read implements net.Conn, for TLS.
func (s *socket) Read(p []byte) (int, error) {
	switch {
	case len(s.got) > 0:
		n := copy(p, s.got)
		s.got = s.got[n:]
		return n, nil
	case s.patient:
		return 0, errNothing{}
	}
	return s.Conn.Read(p)
}

// errNothing says that nothing is there to read yet. TLS goes on after an error
// that is temporary.
type errNothing struct{}

func (errNothing) Error() string   { return "nothing to read yet" }
func (errNothing) Timeout() bool   { return true }
func (errNothing) Temporary() bool { return true }

// read waits until the server has sent something, and feeds it to the
// splitter. What it had fed before must have been dealt with. park.ErrNothing:
// there is none, and waiting is up to the caller.
func (l *link) read() error {
	l.free()
	switch {
	case l.socket == nil:
		// Not a socket: it needs a buffer to wait.
		l.buf = buffers.Get().(*buffer)
		n, err := l.Conn.Read(l.buf[:])
		l.split.Feed(l.buf[:n])
		if n > 0 {
			err = nil
		}
		return err
	case !isTLS(l.Conn):
		if err := l.socket.wait(); err != nil {
			return err
		}
		l.split.Feed(l.socket.got)
		return nil
	}
	for {
		n, err := l.records()
		var nothing errNothing
		switch {
		case n > 0:
			l.split.Feed(l.buf[:n])
			return nil
		case !errors.As(err, &nothing):
			return err
		}
		l.free()
		if err := l.socket.wait(); err != nil {
			return err
		}
	}
}

// records reads what has arrived of the records of TLS, as far as the buffer
// goes.
func (l *link) records() (n int, err error) {
	l.buf = buffers.Get().(*buffer)
	for n < len(l.buf) && err == nil {
		var m int
		m, err = l.Conn.Read(l.buf[n:])
		n += m
	}
	return n, err
}

// free gives back the buffers; the splitter has copied what it still needs.
func (l *link) free() {
	if l.buf != nil {
		buffers.Put(l.buf)
		l.buf = nil
	}
	if l.socket != nil && len(l.socket.got) == 0 || !isTLS(l.Conn) && l.socket != nil {
		l.socket.free()
	}
}

// bow has both sides say, with TLS, that nothing follows (RFC 6120 §4.4). The
// server gets a while for it.
func (l *link) bow(patience time.Duration) {
	if conn, ok := l.Conn.(*tls.Conn); ok && conn.CloseWrite() == nil {
		if l.socket != nil {
			l.socket.patient = false
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, conn)
	}
}

// close closes the connection; with TLS, that says it.
func (l *link) close() {
	l.Conn.Close()
	l.free()
}
