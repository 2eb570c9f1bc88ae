//go:build linux

package httpd

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// This file has what is done with the descriptor.

// errNothing says that there is nothing to read, or no room to write, now.
var errNothing = errors.New("httpd: nothing there")

// tryRead reads what is there, with the lock held.
func (c *conn) tryRead(p []byte) (int, error) {
	if c.state >= parting {
		return 0, net.ErrClosed
	}
	c.again = false
	for {
		n, err := sysRead(c.fd, p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			c.hup = false
			return 0, errNothing
		case err != nil:
			c.hup = true
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			c.hup = true
			return 0, io.EOF
		default:
			c.again = n == len(p)
			return n, nil
		}
	}
}

// tryWrite writes as much as there is room for, with the lock held.
func (c *conn) tryWrite(p []byte) (n int, err error) {
	if c.state == gone {
		return 0, net.ErrClosed
	}
	for n < len(p) {
		m, err := sysWrite(c.fd, p[n:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return n, errNothing
		case err != nil:
			return n, os.NewSyscallError("write", err)
		default:
			n += m
		}
	}
	return n, nil
}

type sight uint8

const (
	nothing sight = iota
	something
	theEnd
)

// peek says what there is to read, with the lock held.
func (c *conn) peek() sight {
	var p [1]byte
	for {
		n, err := sysPeek(c.fd, p[:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			c.again, c.hup = false, false
			return nothing
		case err != nil, n == 0:
			return theEnd
		default:
			return something
		}
	}
}

// read reads at least one byte; waiting for it ends at the deadline. Who was told
// that there is something does not wait.
func (c *conn) read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told
	for c.told = false; ; {
		if n, ok := c.readAhead(p); ok {
			return n, nil
		}
		if err := expired(c.readUntil); err != nil {
			return 0, err
		}
		if n, err := c.tryRead(p); err != errNothing || told {
			return n, err
		}
		if c.readUntil == headerTime {
			c.readUntil = time.Now().Add(c.server.headerTimeout()).UnixNano()
		}
		c.wait(&c.reading, c.readUntil)
	}
}

// readAhead reads what was read ahead, with the lock held.
func (c *conn) readAhead(p []byte) (n int, ok bool) {
	if len(c.ahead) == 0 {
		return 0, false
	}
	n = copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, true
}

// write writes all, waiting for the client to read until the deadline, or, if
// there is none, for so long each time. Zero: for ever.
func (c *conn) write(p []byte, patience time.Duration) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var till int64
	for {
		if err := expired(c.writeTill); err != nil {
			return n, err
		}
		m, err := c.tryWrite(p[n:])
		if n += m; err != errNothing {
			return n, err
		}
		if m > 0 {
			till = 0
		}
		if err := expired(till); err != nil {
			return n, err
		}
		if till == 0 && patience > 0 {
			till = time.Now().Add(patience).UnixNano()
		}
		until := c.writeTill
		if until == 0 {
			until = till
		}
		c.wait(&c.writing, until)
	}
}

// headerTime stands for the deadline of a header that is not all there.
const headerTime = -1

func expired(deadline int64) error {
	if deadline > 0 && time.Now().UnixNano() >= deadline {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait is called with the lock held, and gives it up until there may be
// something to do, or the deadline is over.
func (c *conn) wait(on *chan struct{}, deadline int64) {
	if *on == nil {
		*on = make(chan struct{})
	}
	woken := *on
	c.server.poller.crew.waits(c)
	c.mu.Unlock()
	defer c.mu.Lock()
	if deadline == 0 {
		<-woken
		return
	}
	t := time.NewTimer(time.Until(time.Unix(0, deadline)))
	defer t.Stop()
	select {
	case <-woken:
	case <-t.C:
	}
}

// wake has those who wait look again, with the lock held.
func wake(waiting *chan struct{}) {
	if *waiting != nil {
		close(*waiting)
		*waiting = nil
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (c *conn) setReadDeadline(t time.Time) { c.setReadUntil(nanos(t)) }

func (c *conn) setReadUntil(deadline int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readUntil = deadline
	wake(&c.reading)
}

func (c *conn) setWriteDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeTill = nanos(t)
	wake(&c.writing)
	if c.slow != nil {
		c.slow.Reset(c.patience())
	}
}

func now() int64 { return time.Now().Unix() }
