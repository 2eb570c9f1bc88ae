package httpd

import (
	"sync"
	"syscall"
)

// A poller tells when connections are readable, without a goroutine for each.
// It is an epoll of its own, beside that of the Go runtime: both may know a
// connection. Being told is a hint: there may be nothing to read after all.
type poller struct {
	epoll int
	mu    sync.RWMutex
	conns []*conn // by file descriptor
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{epoll: fd}, nil
}

const interest = syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<30 // EPOLLONESHOT

// add registers a connection, of which nothing is told before it is armed.
func (p *poller) add(c *conn) error {
	p.mu.Lock()
	for len(p.conns) <= c.fd {
		p.conns = append(p.conns, nil)
	}
	p.conns[c.fd] = c
	p.mu.Unlock()
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, c.fd, &syscall.EpollEvent{Events: 1 << 30, Fd: int32(c.fd)})
}

// arm has the connection told once when it is readable, or closed.
func (p *poller) arm(c *conn) error {
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, c.fd, &syscall.EpollEvent{Events: interest, Fd: int32(c.fd)})
}

// remove forgets a connection, before it is closed or handed on.
func (p *poller) remove(c *conn) {
	syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
	p.mu.Lock()
	if c.fd < len(p.conns) && p.conns[c.fd] == c {
		p.conns[c.fd] = nil
	}
	p.mu.Unlock()
}

// run tells connections until the poller is closed.
func (p *poller) run() {
	events := make([]syscall.EpollEvent, 128)
	for {
		n, err := syscall.EpollWait(p.epoll, events, -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return
		}
		for _, ev := range events[:n] {
			p.mu.RLock()
			c := p.conns[ev.Fd]
			p.mu.RUnlock()
			if c != nil {
				c.readable()
			}
		}
	}
}

func (p *poller) close() { syscall.Close(p.epoll) }
