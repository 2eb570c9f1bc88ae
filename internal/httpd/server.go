package httpd

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// A Server serves a handler on connections of TCP.
type Server struct {
	Handler           http.Handler
	ReadHeaderTimeout time.Duration

	poller *poller
	mu     sync.Mutex
	conns  map[*conn]struct{}
}

func (s *Server) headerTimeout() time.Duration {
	if s.ReadHeaderTimeout > 0 {
		return s.ReadHeaderTimeout
	}
	return 10 * time.Second
}

// Serve accepts connections until the listener is closed.
func (s *Server) Serve(ln net.Listener) error {
	p, err := newPoller()
	if err != nil {
		return err
	}
	s.poller, s.conns = p, make(map[*conn]struct{})
	go p.run()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		s.accept(nc.(*net.TCPConn))
	}
}

func (s *Server) accept(nc *net.TCPConn) {
	c := &conn{server: s, nc: nc, remote: nc.RemoteAddr().String()}
	raw, err := nc.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { c.fd = int(fd) })
	}
	if err == nil {
		err = s.poller.add(c)
	}
	if err == nil {
		err = s.poller.arm(c)
	}
	if err != nil {
		nc.Close()
		return
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
}

func (s *Server) forget(c *conn) {
	s.poller.remove(c)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}
