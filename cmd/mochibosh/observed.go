package main

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// observed counts the requests of an endpoint, and logs each at debug level:
// its path, never its query, which may have keys.
func (g *gateway) observed(endpoint string, next http.Handler) http.Handler {
	open := g.metrics.open.WithLabelValues(endpoint)
	durations := g.metrics.durations.WithLabelValues(endpoint)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		n := &noting{ResponseWriter: w}
		open.Inc()
		// What the last function knows is kept while a request is held, so it
		// knows the request only if it is to be logged.
		var logged *http.Request
		if g.logger.Enabled(r.Context(), slog.LevelDebug) {
			logged = r
		}
		park.Observe(w, n, func(w http.ResponseWriter) { next.ServeHTTP(w, r) }, func() {
			open.Dec()
			took := time.Since(start)
			if n.status == 0 {
				n.status = 499 // no answer: the client was gone
			}
			g.metrics.requests.WithLabelValues(endpoint, strconv.Itoa(n.status)).Inc()
			if n.status != http.StatusSwitchingProtocols {
				durations.Observe(took.Seconds())
			}
			if r := logged; r != nil {
				g.logger.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", n.status,
					"bytes", n.bytes, "took", took, "proto", r.Proto, "tls", r.TLS != nil)
			}
		})
	})
}

// A noting writer notes what was answered.
type noting struct {
	http.ResponseWriter
	status int
	bytes  int64
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
	}
	return c, rw, err
}
