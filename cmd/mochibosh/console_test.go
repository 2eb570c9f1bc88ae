package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestConsoleIsServedWhereItIsSwitchedOn(t *testing.T) {
	tests := []struct {
		mode, remote, path string
		status             int
		kind               string
	}{
		{"off", "127.0.0.1:1", "/console/", 404, ""},
		{"on", "192.0.2.1:1", "/console/", 200, "text/html"},
		{"on", "192.0.2.1:1", "/console/app.mjs", 200, "text/javascript"},
		{"on", "192.0.2.1:1", "/console/none", 404, ""},
		{"local", "127.0.0.1:1", "/console/", 200, "text/html"},
		{"local", "192.0.2.1:1", "/console/", 403, ""},
	}
	for _, tt := range tests {
		g, err := newGateway(&settings{Console: tt.mode, Push: "off", Metrics: "off", Forwarded: "none", MaxSessions: 1}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", tt.path, nil)
		r.RemoteAddr, r.Host = tt.remote, "localhost"
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
		w := httptest.NewRecorder()
		h, _ := g.handlers()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.HasPrefix(w.Header().Get("Content-Type"), tt.kind) {
			t.Errorf("%s from %s, console %s: %d %s", tt.path, tt.remote, tt.mode, w.Code, w.Header().Get("Content-Type"))
		}
		if policy := w.Header().Get("Content-Security-Policy"); w.Code == 200 && !strings.HasPrefix(policy, "default-src 'self';") {
			t.Errorf("%s: policy %q", tt.path, policy)
		}
	}
}
