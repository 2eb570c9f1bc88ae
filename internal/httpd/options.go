package httpd

import (
	"log/slog"
	"net/http"
	"time"
)

// Defaults of a [Server].
const (
	DefaultHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout   = 2 * time.Minute
	DefaultWriteTimeout  = 30 * time.Second
	DefaultMaxHeader     = 64 << 10
	DefaultMaxFields     = 100
	DefaultMaxConns      = 1_000_000
)

// Options configure a [Server]. Zero fields stand for the Default constants.
type Options struct {
	// Handler answers. It may use [park.Writer].
	Handler http.Handler
	// Other serves what is not HTTP/1.x on a socket: HTTP/2 with prior knowledge
	// and listeners of other kinds, such as those of crypto/tls. It has a handler
	// of its own, or the same, and ends together with this one. It is also what
	// http.ServerContextKey gives. Nil: such connections are refused.
	Other *http.Server
	// Logger gets panics of handlers, and what net/http would log. Nil: nobody.
	Logger *slog.Logger

	// HeaderTimeout bounds the time of a request line and header, and that of
	// the rest of a body that the handler did not read. Zero: DefaultHeaderTimeout.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next request. Zero: DefaultIdleTimeout.
	IdleTimeout time.Duration
	// WriteTimeout bounds how long a client may take to read what is there for
	// it, unless the handler sets a deadline. Zero: DefaultWriteTimeout.
	WriteTimeout time.Duration
	// MaxHeader bounds the bytes of a request line and header. Zero:
	// DefaultMaxHeader.
	MaxHeader int
	// MaxFields bounds the lines of a header. Zero: DefaultMaxFields.
	MaxFields int
	// MaxConns bounds the connections, those taken over by handlers too. More
	// are closed at once. Zero: DefaultMaxConns.
	MaxConns int
	// Limiter, if set, bounds the connections further, by where they come from.
	// Those that it refuses are closed at once.
	Limiter Limiter
}

// A Limiter counts connections. Where one comes from is given as
// http.Request.RemoteAddr has it. It is called from many goroutines at once.
type Limiter interface {
	// Enter reports whether the connection may come in; if so, Leave is called
	// once, when it is closed.
	Enter(remote string) bool
	Leave(remote string)
}
