package main

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mochibosh/mochibosh/internal/park"
)

// observed counts the requests of an endpoint, and logs each at debug level:
// its path, never its query, which may have keys.
func (g *gateway) observed(name string, next http.Handler) http.Handler {
	e := &endpoint{
		name:      name,
		gateway:   g,
		open:      g.metrics.open.WithLabelValues(name),
		durations: g.metrics.durations.WithLabelValues(name),
		sockets:   g.metrics.sockets.WithLabelValues(name),
		ok:        g.metrics.requests.WithLabelValues(name, "200"),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = g.tracing.remember(r)
		e.open.Inc()
		n := &noting{ResponseWriter: w, endpoint: e, start: time.Now()}
		// It is kept while the request is held, so it knows that only if it is to
		// be logged.
		if g.logger.Enabled(r.Context(), slog.LevelDebug) {
			n.logged = r
		}
		park.Observe(w, n, next, r)
	})
}

// An endpoint has the metrics of one.
type endpoint struct {
	name      string
	gateway   *gateway
	open      prometheus.Gauge
	durations prometheus.Observer
	sockets   prometheus.Gauge
	ok        prometheus.Counter // answers of the usual status
}

// A noting writer notes what was answered. It is a park.Observer.
type noting struct {
	http.ResponseWriter
	endpoint *endpoint
	start    time.Time
	logged   *http.Request // nil: it is not
	status   int
	bytes    int64
}

// Over implements park.Observer.
func (n *noting) Over() {
	e, took := n.endpoint, time.Since(n.start)
	e.open.Dec()
	switch n.status {
	case http.StatusOK:
		e.ok.Inc()
	case 0:
		n.status = 499 // no answer: the client was gone
		fallthrough
	default:
		e.gateway.metrics.requests.WithLabelValues(e.name, strconv.Itoa(n.status)).Inc()
	}
	if n.status != http.StatusSwitchingProtocols {
		e.durations.Observe(took.Seconds())
	}
	if r := n.logged; r != nil {
		e.gateway.logger.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", n.status,
			"bytes", n.bytes, "took", took, "proto", r.Proto, "tls", r.TLS != nil)
	}
}

func (n *noting) WriteHeader(status int) {
	if n.status == 0 && status >= 200 {
		n.status = status
	}
	n.ResponseWriter.WriteHeader(status)
}

func (n *noting) Write(p []byte) (int, error) {
	if n.status == 0 {
		n.status = http.StatusOK
	}
	written, err := n.ResponseWriter.Write(p)
	n.bytes += int64(written)
	return written, err
}

// Unwrap is for http.ResponseController.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// Hijack implements http.Hijacker, which WebSockets ask for.
func (n *noting) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(n.ResponseWriter).Hijack()
	if err == nil {
		n.status = http.StatusSwitchingProtocols
		c = n.endpoint.counted(c)
	}
	return c, rw, err
}

// counted returns the connection of a WebSocket, which counts until it is closed.
func (e *endpoint) counted(c net.Conn) net.Conn {
	e.sockets.Inc()
	s := &socket{Conn: c, endpoint: e}
	if p, ok := c.(park.Conn); ok {
		return &parkedSocket{p, s}
	}
	return s
}

// A socket is the connection of a WebSocket.
type socket struct {
	net.Conn
	endpoint *endpoint
	closed   atomic.Bool
}

// Close implements net.Conn.
func (s *socket) Close() error {
	if !s.closed.Swap(true) {
		s.endpoint.sockets.Dec()
	}
	return s.Conn.Close()
}

// A parkedSocket can wait without a goroutine, as the connection that it is.
type parkedSocket struct {
	park.Conn
	socket *socket
}

// Close implements net.Conn.
func (s *parkedSocket) Close() error { return s.socket.Close() }
