//go:build linux

package httpd

import (
	"sync"
	"syscall"
)

// A poller tells connections that they are readable or writable, without a
// goroutine for each. It is an epoll of its own beside that of the Go runtime,
// which knows the same connections, for the calls that block. What it tells is a
// hint: there may be nothing after all.
type poller struct {
	epoll int
	stop  [2]int // a pipe that ends run
	mu    sync.RWMutex
	conns []*conn // by file descriptor
}

const (
	oneShot  = 1 << 30 // EPOLLONESHOT: told once, until armed again
	forRead  = syscall.EPOLLIN | syscall.EPOLLRDHUP | oneShot
	forWrite = syscall.EPOLLOUT | oneShot
)

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &poller{epoll: fd}
	if err = syscall.Pipe2(p.stop[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err == nil {
		err = syscall.EpollCtl(fd, syscall.EPOLL_CTL_ADD, p.stop[0], &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(p.stop[0])})
	}
	go p.run()
	return p, err
}

// add registers a connection, which is told nothing until it is armed.
func (p *poller) add(c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.conns) <= c.fd {
		p.conns = append(p.conns, nil)
	}
	p.conns[c.fd] = c
	return syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, c.fd, &syscall.EpollEvent{Events: oneShot, Fd: int32(c.fd)})
}

// arm has the connection told once, also of what was there before.
func (p *poller) arm(c *conn, events uint32) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.conns[c.fd] != c {
		return // removed: the descriptor may be another's by now
	}
	syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, c.fd, &syscall.EpollEvent{Events: events, Fd: int32(c.fd)})
}

// remove forgets a connection, before its file is closed.
func (p *poller) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.fd] == c {
		p.conns[c.fd] = nil
		syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
	}
}

// run tells connections, until the poller is closed.
func (p *poller) run() {
	events := make([]syscall.EpollEvent, 256)
	for {
		n, err := syscall.EpollWait(p.epoll, events, -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == p.stop[0] {
				syscall.Close(p.epoll)
				syscall.Close(p.stop[0])
				return
			}
			p.mu.RLock()
			c := p.conns[ev.Fd]
			p.mu.RUnlock()
			if c != nil {
				c.ready(ev.Events)
			}
		}
	}
}

// close ends run. It is called once, when nothing is armed any more.
func (p *poller) close() { syscall.Close(p.stop[1]) }
