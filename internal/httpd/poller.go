//go:build linux

package httpd

import (
	"net"
	"sync"
	"syscall"
)

// A poller tells connections that they may be read or written, without a
// goroutine for each. It tells of changes, once (EPOLLET): who is told goes on
// until there is nothing left. It may tell of nothing at all.
type poller struct {
	epoll int
	stop  [2]int // a pipe that ends run

	mu    sync.RWMutex
	conns []*conn // by descriptor
	n     int
	ends  bool // it is closed with its last connection
	last  bool // and takes no other
}

const (
	edge     = 1 << 31 // EPOLLET
	incoming = syscall.EPOLLIN | syscall.EPOLLRDHUP
	broken   = syscall.EPOLLERR | syscall.EPOLLHUP
	interest = incoming | syscall.EPOLLOUT | edge
)

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &poller{epoll: fd}
	if err = syscall.Pipe2(p.stop[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(p.stop[0])}
	if err = syscall.EpollCtl(fd, syscall.EPOLL_CTL_ADD, p.stop[0], &event); err != nil {
		p.release()
		return nil, err
	}
	go p.run()
	return p, nil
}

// add registers a connection, which is told from now on.
func (p *poller) add(c *conn) error {
	p.mu.Lock()
	if p.last {
		p.mu.Unlock()
		return net.ErrClosed
	}
	if n := c.fd + 1 - len(p.conns); n > 0 {
		p.conns = append(p.conns, make([]*conn, n)...)
	}
	p.conns[c.fd] = c
	p.n++
	p.mu.Unlock()
	event := syscall.EpollEvent{Events: interest, Fd: int32(c.fd)}
	err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, c.fd, &event)
	if err != nil {
		p.remove(c)
	}
	return err
}

// remove forgets a connection, before its descriptor is closed.
func (p *poller) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c.fd] = nil
	if p.n--; p.n == 0 && (p.ends || p.last) {
		p.last = true
		syscall.Close(p.stop[1])
	}
}

// endWhenEmpty is closeWhenEmpty, but until then others may come.
func (p *poller) endWhenEmpty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends = true; p.n == 0 && !p.last {
		p.last = true
		syscall.Close(p.stop[1])
	}
}

// closeWhenEmpty ends run when the last connection is gone.
func (p *poller) closeWhenEmpty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last {
		return
	}
	if p.last = true; p.n == 0 {
		syscall.Close(p.stop[1])
	}
}

func (p *poller) count() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.n
}

// each calls f with the connections, and without the lock.
func (p *poller) each(f func(*conn)) {
	var some [256]*conn
	for begin, more := 0, true; more; begin += len(some) {
		p.mu.RLock()
		n := copy(some[:], p.conns[min(begin, len(p.conns)):])
		more = begin+n < len(p.conns)
		p.mu.RUnlock()
		for _, c := range some[:n] {
			if c != nil {
				f(c)
			}
		}
	}
}

// run tells connections, until the poller is closed.
func (p *poller) run() {
	defer p.release()
	var events [256]syscall.EpollEvent
	var conns [len(events)]*conn
	for {
		n, err := syscall.EpollWait(p.epoll, events[:], -1)
		if err != nil && err != syscall.EINTR {
			return
		}
		n = max(n, 0)
		p.mu.RLock()
		for i, ev := range events[:n] {
			if int(ev.Fd) == p.stop[0] {
				p.mu.RUnlock()
				return
			}
			conns[i] = p.conns[ev.Fd]
		}
		p.mu.RUnlock()
		for i, ev := range events[:n] {
			if c := conns[i]; c != nil {
				c.ready(ev.Events)
			}
			conns[i] = nil
		}
	}
}

func (p *poller) release() {
	syscall.Close(p.epoll)
	syscall.Close(p.stop[0])
}
