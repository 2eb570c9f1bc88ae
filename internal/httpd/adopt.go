//go:build linux

package httpd

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A Parent takes connections that were made elsewhere, to wait for what they
// bring as the server does: without a goroutine for each.
type Parent struct {
	patience time.Duration
	mu       sync.Mutex
	server   *Server // whose poller lives as long as it has connections
}

// NewParent returns a parent of connections whose other ends may take this long
// to read what is there for them.
func NewParent(patience time.Duration) *Parent { return &Parent{patience: patience} }

// Adopt takes over a TCP connection that nobody uses. It returns nil, and leaves
// the connection alone, if it cannot.
func (p *Parent) Adopt(from net.Conn) park.Caller {
	tcp, ok := from.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	// A copy of the descriptor: the original is registered with the poller of
	// the runtime.
	var fd uintptr
	var errno syscall.Errno
	err = raw.Control(func(original uintptr) {
		fd, _, errno = syscall.Syscall(syscall.SYS_FCNTL, original, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil || errno != 0 {
		return nil
	}
	c := &conn{
		fd: int(fd), remote: from.RemoteAddr().String(), state: hijacked, taken: true,
		again: true, // nobody tells of what came before
	}
	if p.add(c) != nil {
		syscall.Close(c.fd)
		return nil
	}
	from.Close()
	return &child{netConn: netConn{conn: c, unblocked: true}}
}

// add has a connection polled.
func (p *Parent) add(c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.server = p.server; c.server != nil && c.server.poller.add(c) == nil {
		return nil
	}
	poller, err := newPoller()
	if err != nil {
		return err
	}
	p.server = &Server{Options: Options{WriteTimeout: p.patience}, poller: poller}
	c.server = p.server
	if err := poller.add(c); err != nil {
		p.server = nil
		poller.closeWhenEmpty()
		return err
	}
	poller.endWhenEmpty()
	return nil
}

// A child is a park.Caller.
type child struct {
	netConn
	timer *time.Timer // of the read deadline
}

// TryRead implements park.Caller.
func (c *child) TryRead(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = false
	if c.late {
		return 0, os.ErrDeadlineExceeded
	}
	if err = errNothing; c.again || c.hup || c.state != hijacked {
		n, err = c.tryRead(p)
	}
	if err != errNothing {
		return n, err
	}
	if err = expired(c.readUntil); err == nil {
		err = park.ErrNothing
	}
	return 0, err
}

// OnReadable implements park.Conn.
func (c *child) OnReadable(f func()) {
	c.netConn.OnReadable(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if expired(c.readUntil) != nil {
		c.tellReadable()
	}
}

// SetReadDeadline implements net.Conn.
func (c *child) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readUntil = nanos(t)
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !t.IsZero() {
		c.timer = time.AfterFunc(time.Until(t), c.timeUp)
	}
	return nil
}

func (c *child) timeUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if expired(c.readUntil) != nil {
		c.tellReadable()
	}
}
