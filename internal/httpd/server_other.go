//go:build !linux

package httpd

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A Server is one of net/http here.
type Server struct {
	Options

	begin sync.Once
	web   *http.Server
}

func (s *Server) server() *http.Server {
	s.begin.Do(func() {
		s.web = &http.Server{}
		if s.Other != nil {
			s.web = s.Other
		}
		s.web.Handler = s.Handler
		s.web.ReadHeaderTimeout = cmp.Or(s.HeaderTimeout, DefaultHeaderTimeout)
		s.web.IdleTimeout = cmp.Or(s.IdleTimeout, DefaultIdleTimeout)
		s.web.MaxHeaderBytes = cmp.Or(s.MaxHeader, DefaultMaxHeader)
	})
	return s.web
}

// Serve serves the connections of a listener until it is closed, and returns
// http.ErrServerClosed after Shutdown or Close.
func (s *Server) Serve(ln net.Listener) error { return s.server().Serve(ln) }

// Shutdown is that of http.Server.
func (s *Server) Shutdown(ctx context.Context) error { return s.server().Shutdown(ctx) }

// Close is that of http.Server.
func (s *Server) Close() error { return s.server().Close() }

// A Parent takes no connections here.
type Parent struct{}

// NewParent returns a parent.
func NewParent(time.Duration) *Parent { return nil }

// Adopt returns nil.
func (*Parent) Adopt(net.Conn) park.Caller { return nil }

// Buffered returns zero: net/http keeps nothing that its clients do not read.
func (s *Server) Buffered() int64 { return 0 }

// Shed has nothing to free.
func (s *Server) Shed(int64) int64 { return 0 }
