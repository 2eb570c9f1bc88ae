//go:build linux

package httpd

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// A poller tells connections that they may be read or written, without a
// goroutine for each. It tells of changes, once (EPOLLET): who is told goes on
// until there is nothing left. It may tell of nothing at all.
//
// It waits as everything does in Go: the scheduler's own poller has this one
// among what it watches.
type poller struct {
	epoll int
	file  *os.File // the same, for the runtime
	raw   syscall.RawConn
	crew  *crew

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
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	p := &poller{epoll: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	p.crew = newCrew(p.run)
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
		p.close()
	}
}

// endWhenEmpty is closeWhenEmpty, but until then others may come.
func (p *poller) endWhenEmpty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ends = true; p.n == 0 && !p.last {
		p.last = true
		p.close()
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
		p.close()
	}
}

// close ends run, which may be who calls it: closing waits for run.
func (p *poller) close() { go p.file.Close() }

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

// run tells connections, and has done what they have to do then, until the
// poller is closed or the mate relieved.
func (p *poller) run(m *mate) {
	var events [256]syscall.EpollEvent
	var tasks [len(events)]task
	var n int
	ask := func(uintptr) (done bool) {
		var err error
		n, err = sysPoll(p.epoll, events[:])
		return n > 0 || err == syscall.EINTR
	}
	for p.raw.Read(ask) == nil {
		todo := p.tell(events[:max(n, 0)], tasks[:0])
		goOn := m.do(todo...)
		clear(todo)
		if !goOn {
			return
		}
	}
}

// tell tells connections what happened to them, and appends what they have to do.
func (p *poller) tell(events []syscall.EpollEvent, tasks []task) []task {
	var conns [256]*conn
	p.mu.RLock()
	for i, ev := range events {
		conns[i] = p.conns[ev.Fd]
	}
	p.mu.RUnlock()
	for i, ev := range events {
		if c := conns[i]; c != nil {
			if t := c.ready(ev.Events); t.conn != nil {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}
