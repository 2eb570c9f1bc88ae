//go:build linux

package httpd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// lingerSeconds is how many seconds what a client still sends is thrown away after
// the last answer.
const lingerSeconds = 2

// A Server serves HTTP/1.x. Its options are not to be changed once it serves.
type Server struct {
	Options

	begin     sync.Once
	failed    error // to begin
	poller    *poller
	others    *handover
	conns     atomic.Int64 // those that no handler has taken
	buffered  atomic.Int64 // bytes that clients have not read
	closing   atomic.Bool
	stop      chan struct{} // closed when it accepts no more
	empty     chan struct{} // has one element when no connection is left
	full      atomic.Bool   // and it was logged
	mu        sync.Mutex
	listeners map[net.Listener]bool
}

func (s *Server) headerTimeout() time.Duration { return cmp.Or(s.HeaderTimeout, DefaultHeaderTimeout) }
func (s *Server) idleTimeout() time.Duration   { return cmp.Or(s.IdleTimeout, DefaultIdleTimeout) }
func (s *Server) writeTimeout() time.Duration  { return cmp.Or(s.WriteTimeout, DefaultWriteTimeout) }
func (s *Server) maxHeader() int               { return cmp.Or(s.MaxHeader, DefaultMaxHeader) }
func (s *Server) maxFields() int               { return cmp.Or(s.MaxFields, DefaultMaxFields) }
func (s *Server) maxConns() int                { return cmp.Or(s.MaxConns, DefaultMaxConns) }

func (s *Server) logf(format string, args ...any) {
	if s.Logger != nil {
		s.Logger.Error(fmt.Sprintf(format, args...))
	}
}

// Serve serves the connections of a listener until it is closed, and returns
// http.ErrServerClosed after Shutdown or Close. It closes the listener.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.track(ln) {
		return http.ErrServerClosed
	}
	defer s.forget(ln)
	s.begin.Do(s.start)
	if s.failed != nil {
		return s.failed
	}
	var err error
	if own, ok := ln.(fileListener); ok {
		err = s.accept(own)
	} else {
		err = s.passAll(ln)
	}
	if s.closing.Load() {
		return http.ErrServerClosed
	}
	return err
}

func (s *Server) start() {
	s.empty = make(chan struct{}, 1)
	s.stop = make(chan struct{})
	if s.poller, s.failed = newPoller(); s.failed != nil {
		return
	}
	if s.Other != nil {
		s.others = newHandover()
		go s.Other.Serve(s.others)
	}
	go s.sweep()
}

func (s *Server) track(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]bool)
	}
	s.listeners[ln] = true
	return true
}

func (s *Server) forget(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// serve begins with a connection.
func (s *Server) serve(fd int, remote string) error {
	c := &conn{server: s, fd: fd, remote: remote, since: now()}
	if s.poller.count() >= s.maxConns() {
		if !s.full.Swap(true) {
			s.logf("httpd: %d connections, more are refused", s.maxConns())
		}
		return errFull
	}
	if s.Limiter != nil && !s.Limiter.Enter(remote) {
		return errFull
	}
	s.conns.Add(1)
	if err := s.poller.add(c); err != nil {
		s.conns.Add(-1)
		s.left(c)
		return err
	}
	if s.closing.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.close()
	}
	return nil
}

var errFull = errors.New("httpd: too many connections")

// leave says that a connection is closed, or a handler's.
func (s *Server) leave() {
	if s.conns.Add(-1) == 0 {
		s.tellEmpty()
	}
}

func (s *Server) tellEmpty() {
	select {
	case s.empty <- struct{}{}:
	default:
	}
}

// sweep closes connections that wait for too long.
func (s *Server) sweep() {
	t := time.NewTicker(min(time.Second, s.idleTimeout()/4))
	defer t.Stop()
	for {
		<-t.C
		if s.closing.Load() && s.conns.Load() == 0 {
			return
		}
		at := now()
		oldest := at - int64(s.idleTimeout()/time.Second)
		s.each(func(c *conn) {
			if c.state == idle && c.since < oldest || c.state == lingering && c.since < at-lingerSeconds {
				c.close()
			}
		})
	}
}

// Close closes all listeners and connections, but for those that handlers have
// taken.
func (s *Server) Close() error {
	err := s.end()
	s.each(func(c *conn) {
		if !c.taken && c.state != gone {
			c.lost()
		}
	})
	s.release()
	if s.Other != nil {
		err = errors.Join(err, s.Other.Close())
	}
	return err
}

// Shutdown closes all listeners and what is idle, and waits until the other
// connections have their answers. Those that handlers have taken are theirs.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.end()
	s.each(func(c *conn) {
		if c.state == idle {
			c.close()
		}
	})
	if s.Other != nil {
		err = errors.Join(err, s.Other.Shutdown(ctx))
	}
	for s.conns.Load() > 0 {
		select {
		case <-s.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.tellEmpty() // to others who wait
	s.release()
	return err
}

// end closes the listeners.
func (s *Server) end() (err error) {
	s.begin.Do(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Swap(true) {
		close(s.stop)
	}
	for ln := range s.listeners {
		err = errors.Join(err, ln.Close())
	}
	clear(s.listeners)
	return err
}

// each calls f with the connections, and with the lock of each.
func (s *Server) each(f func(*conn)) {
	if s.poller == nil {
		return
	}
	s.poller.each(func(c *conn) {
		c.mu.Lock()
		defer c.mu.Unlock()
		f(c)
	})
}

// release ends what runs for the server. Connections that handlers have taken
// need the poller as long as they live.
func (s *Server) release() {
	if s.poller != nil {
		s.poller.closeWhenEmpty()
	}
}
