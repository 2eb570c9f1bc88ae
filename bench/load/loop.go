//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// A loop is one thread over one epoll set: the cheapest client that the kernel
// allows, so that a server, and not its load, is what gets measured.
type loop struct {
	ep    int
	conns []*conn // by file descriptor
	buf   []byte
}

// A conn is a connected socket, which takes what it is given at once, or later.
type conn struct {
	l       *loop
	fd      int
	unsent  []byte
	onData  func([]byte)
	onClose func(error)
}

func newLoop() (*loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &loop{ep: ep, buf: make([]byte, 64<<10)}, err
}

// dial begins to connect; what is written until then waits. What comes is for
// onData, until onClose.
func (l *loop) dial(addr *net.TCPAddr, onData func([]byte), onClose func(error)) (*conn, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	to := &syscall.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	if err := syscall.Connect(fd, to); err != nil && err != syscall.EINPROGRESS {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect: %w", err)
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	c := &conn{l: l, fd: fd, onData: onData, onClose: onClose}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	return c, c.watch(syscall.EPOLL_CTL_ADD, syscall.EPOLLIN)
}

func (c *conn) watch(op int, events uint32) error {
	return syscall.EpollCtl(c.l.ep, op, c.fd, &syscall.EpollEvent{Events: events, Fd: int32(c.fd)})
}

// write sends the bytes, or keeps those that there is no room for.
func (c *conn) write(p []byte) {
	if c.fd < 0 {
		return
	}
	if len(c.unsent) > 0 {
		c.unsent = append(c.unsent, p...)
		return
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno != 0:
		c.end(errno)
		return
	}
	if int(n) < len(p) {
		c.unsent = append(c.unsent, p[n:]...)
		c.watch(syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
}

func (c *conn) close() {
	if c.fd >= 0 {
		c.l.conns[c.fd] = nil
		syscall.Close(c.fd)
		c.fd = -1
	}
}

func (c *conn) end(err error) {
	if c.fd >= 0 {
		c.close()
		c.onClose(err)
	}
}

// run serves the connections until the time has come. Each turn it calls next,
// which returns when it wants to be called again at the latest; the zero time
// ends the run.
func (l *loop) run(until time.Time, next func(now time.Time) time.Time) {
	var events [256]syscall.EpollEvent
	for {
		now := time.Now()
		wake := until
		if next != nil {
			t := next(now)
			if t.IsZero() {
				return
			}
			if t.Before(wake) {
				wake = t
			}
		}
		if !now.Before(until) {
			return
		}
		for i := range l.wait(events[:], max(0, wake.Sub(now))) {
			if c := l.conns[events[i].Fd]; c != nil {
				c.handle(events[i].Events)
			}
		}
	}
}

// sysEpollPwait2 has time-outs in nanoseconds; Linux 5.11.
const sysEpollPwait2 = 441

func (l *loop) wait(events []syscall.EpollEvent, d time.Duration) int {
	timeout := syscall.NsecToTimespec(int64(d))
	n, _, errno := syscall.Syscall6(sysEpollPwait2, uintptr(l.ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (c *conn) handle(events uint32) {
	if events&syscall.EPOLLOUT != 0 && len(c.unsent) > 0 {
		p := c.unsent
		c.unsent = nil
		if c.write(p); len(c.unsent) == 0 && c.fd >= 0 {
			c.watch(syscall.EPOLL_CTL_MOD, syscall.EPOLLIN)
		}
	}
	if events&^syscall.EPOLLOUT == 0 || c.fd < 0 {
		return
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&c.l.buf[0])), uintptr(len(c.l.buf)))
	switch {
	case errno == syscall.EAGAIN:
	case errno != 0:
		c.end(errno)
	case n == 0:
		c.end(io.EOF)
	default:
		c.onData(c.l.buf[:n])
	}
}
