//go:build linux

package httpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A fileListener is a listener whose sockets can be had without those of
// package net around them: *net.TCPListener and *net.UnixListener.
type fileListener interface {
	net.Listener
	syscall.Conn
	File() (*os.File, error)
}

// accept serves connections until the listener is closed.
func (s *Server) accept(ln fileListener) error {
	f, err := ln.File() // a copy of the descriptor, closed on its own
	if err != nil {
		return err
	}
	defer f.Close()
	done := make(chan struct{})
	defer close(done)
	go closeWith(ln, f, s.stop, done)
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	_, tcp := ln.(*net.TCPListener)
	for pause := time.Duration(0); err == nil; {
		var fd int
		var from syscall.Sockaddr
		var failed error
		err = raw.Read(func(listener uintptr) bool {
			fd, from, failed = syscall.Accept4(int(listener), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
			return failed != syscall.EAGAIN
		})
		switch {
		case err != nil:
		case failed == nil:
			pause = 0
			if tcp {
				setOptions(fd)
			}
			if s.serve(fd, nameOf(from)) != nil {
				syscall.Close(fd)
			}
		case failed == syscall.EINTR, failed == syscall.ECONNABORTED:
		case failed == syscall.EMFILE, failed == syscall.ENFILE, failed == syscall.ENOBUFS, failed == syscall.ENOMEM:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.logf("httpd: %v; trying again in %v", os.NewSyscallError("accept", failed), pause)
			time.Sleep(pause)
		default:
			err = os.NewSyscallError("accept", failed)
		}
	}
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// closeWith closes the copy of a listener's descriptor when the server ends, and
// soon after the listener was closed by somebody else.
func closeWith(ln fileListener, f *os.File, stop, done <-chan struct{}) {
	defer f.Close()
	original, err := ln.SyscallConn()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for err == nil {
		select {
		case <-stop:
			return
		case <-done:
			return
		case <-t.C:
			err = original.Control(func(uintptr) {})
		}
	}
}

// setOptions sets what package net does: no delay, and probes for clients that
// vanish. It cannot be left to the listener: that is one of Multipath TCP, as a
// rule, and with most clients then the options do not come over.
func setOptions(fd int) {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15)
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15)
}

// nameOf returns what http.Request.RemoteAddr is for an address.
func nameOf(a syscall.Sockaddr) string {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				ip = ip.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(ip, uint16(a.Port)).String()
	case *syscall.SockaddrUnix:
		if a.Name != "" {
			return a.Name
		}
	}
	return "@"
}

func (c *conn) remoteAddr() net.Addr { return addrOf(c.remote) }

func (c *conn) localAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == gone {
		return addrOf("@")
	}
	a, err := syscall.Getsockname(c.fd)
	if err != nil {
		return addrOf("@")
	}
	return addrOf(nameOf(a))
}

func addrOf(name string) net.Addr {
	if a, err := netip.ParseAddrPort(name); err == nil {
		return net.TCPAddrFromAddrPort(a)
	}
	return &net.UnixAddr{Name: name, Net: "unix"}
}

// ---- connections for another server

// passAll passes on connections of which nothing is known.
func (s *Server) passAll(ln net.Listener) error {
	if s.Other == nil {
		return errors.New("httpd: no server for this kind of listener")
	}
	return s.Other.Serve(ln)
}

// A handover is the listener by which the other server gets connections.
type handover struct {
	conns chan net.Conn
	open  context.Context
	close context.CancelFunc
}

func newHandover() *handover {
	h := &handover{conns: make(chan net.Conn)}
	h.open, h.close = context.WithCancel(context.Background())
	return h
}

func (h *handover) hand(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.open.Done():
		c.Close()
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.open.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return addrOf("@") }
