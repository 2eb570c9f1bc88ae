//go:build linux

package httpd

import (
	"cmp"
	"slices"
)

// This file has the account of what clients do not read.

// Buffered returns the bytes of answers that wait for their clients to read.
func (s *Server) Buffered() int64 { return s.buffered.Load() }

// Shed closes the connections with most to read, until about so many bytes are
// freed, and returns how many that were.
func (s *Server) Shed(bytes int64) (freed int64) {
	type behind struct {
		*conn
		keeps int
	}
	var all []behind
	s.each(func(c *conn) {
		if n := len(c.out); n > 0 {
			all = append(all, behind{c, n})
		}
	})
	slices.SortFunc(all, func(a, b behind) int { return cmp.Compare(b.keeps, a.keeps) })
	n := 0
	for ; n < len(all) && freed < bytes; n++ {
		freed += int64(all[n].keeps)
		all[n].shed()
	}
	if n > 0 {
		s.logf("httpd: %d connections closed, whose clients did not read %d bytes", n, freed)
	}
	return freed
}

func (c *conn) shed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != gone {
		c.lost()
	}
}

// keep keeps what the client has not read, with the lock held.
func (c *conn) keep(p []byte) {
	if n := len(p) - len(c.out); n != 0 {
		c.server.buffered.Add(int64(n))
	}
	c.out = p
}

// left tells the limiter that a connection is closed.
func (s *Server) left(c *conn) {
	if s.Limiter != nil {
		s.Limiter.Leave(c.remote)
	}
}
