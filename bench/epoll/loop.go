//go:build linux

// Package epoll is the client side of benchmarks: one thread over one epoll
// set, the cheapest that the kernel allows, so that a server, and not its load,
// is what gets measured.
package epoll

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// A Loop serves connections, all in the goroutine that calls Run.
type Loop struct {
	ep    int
	conns []*Conn // by file descriptor
	buf   []byte
}

// A Conn is a connected socket, which takes what it is given at once, or later.
type Conn struct {
	l       *Loop
	fd      int
	unsent  []byte
	onData  func([]byte)
	onClose func(error)
}

// New returns a loop without connections.
func New() (*Loop, error) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &Loop{ep: ep, buf: make([]byte, 64<<10)}, err
}

// Dial begins to connect; what is written until then waits. What comes is for
// onData, until onClose.
func (l *Loop) Dial(addr *net.TCPAddr, onData func([]byte), onClose func(error)) (*Conn, error) {
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
	c := &Conn{l: l, fd: fd, onData: onData, onClose: onClose}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	return c, c.watch(syscall.EPOLL_CTL_ADD, syscall.EPOLLIN)
}

// Handle replaces what Dial was told.
func (c *Conn) Handle(onData func([]byte), onClose func(error)) {
	c.onData, c.onClose = onData, onClose
}

// Open reports whether the connection is not closed.
func (c *Conn) Open() bool { return c.fd >= 0 }

func (c *Conn) watch(op int, events uint32) error {
	return syscall.EpollCtl(c.l.ep, op, c.fd, &syscall.EpollEvent{Events: events, Fd: int32(c.fd)})
}

// Write sends the bytes, or keeps those that there is no room for.
func (c *Conn) Write(p []byte) {
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
		c.End(errno)
		return
	}
	if int(n) < len(p) {
		c.unsent = append(c.unsent, p[n:]...)
		c.watch(syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
}

// Close closes the connection, if there is one. What was given to it and not
// sent is dropped; onClose is not called.
func (c *Conn) Close() {
	if c != nil && c.fd >= 0 {
		c.l.conns[c.fd] = nil
		syscall.Close(c.fd)
		c.fd = -1
	}
}

// End closes the connection and tells onClose why.
func (c *Conn) End(err error) {
	if c.fd >= 0 {
		c.Close()
		c.onClose(err)
	}
}

// Run serves the connections until the time has come. Each turn it calls next,
// which returns when it wants to be called again at the latest; the zero time
// ends the run.
func (l *Loop) Run(until time.Time, next func(now time.Time) time.Time) {
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

func (l *Loop) wait(events []syscall.EpollEvent, d time.Duration) int {
	timeout := syscall.NsecToTimespec(int64(d))
	n, _, errno := syscall.Syscall6(sysEpollPwait2, uintptr(l.ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (c *Conn) handle(events uint32) {
	if events&syscall.EPOLLOUT != 0 && len(c.unsent) > 0 {
		p := c.unsent
		c.unsent = nil
		if c.Write(p); len(c.unsent) == 0 && c.fd >= 0 {
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
		c.End(errno)
	case n == 0:
		c.End(io.EOF)
	default:
		c.onData(c.l.buf[:n])
	}
}
