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

func TestClientAndDoctorAreServedWithPush(t *testing.T) {
	tests := []struct {
		push, remote, path string
		status             int
		kind               string
	}{
		{"off", "127.0.0.1:1", "/mochi/mochi.min.js", 404, ""},
		{"off", "127.0.0.1:1", "/push/doctor/", 404, ""},
		{"on", "192.0.2.1:1", "/mochi/mochi.min.js", 200, "text/javascript"},
		{"on", "192.0.2.1:1", "/mochi/mochi.js", 200, "text/javascript"},
		{"on", "192.0.2.1:1", "/push/doctor", 302, ""},
		{"on", "192.0.2.1:1", "/push/doctor/", 200, "text/html"},
		{"on", "192.0.2.1:1", "/push/doctor/doctor.css", 200, "text/css"},
		{"on", "192.0.2.1:1", "/push/doctor/none", 404, ""},
		{"local", "127.0.0.1:1", "/push/doctor/", 200, "text/html"},
		{"local", "192.0.2.1:1", "/push/doctor/", 403, ""},
		{"local", "192.0.2.1:1", "/mochi/mochi.min.js", 403, ""},
	}
	for _, tt := range tests {
		g, err := newGateway(&settings{Console: "off", Push: tt.push, PushTarget: "bus", Metrics: "off", Forwarded: "none", MaxSessions: 1, AllowOrigin: []string{"https://app.example"}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", tt.path, nil)
		r.RemoteAddr, r.Host = tt.remote, "localhost"
		r.Header.Set("Origin", "https://app.example")
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
		w := httptest.NewRecorder()
		handler, _ := g.handlers()
		handler.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != tt.status || !strings.HasPrefix(h.Get("Content-Type"), tt.kind) {
			t.Errorf("%s from %s, push %s: %d %s", tt.path, tt.remote, tt.push, w.Code, h.Get("Content-Type"))
		}
		if w.Code != 200 {
			continue
		}
		if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self';") {
			t.Errorf("%s: policy %q", tt.path, policy)
		}
		// A module of another origin is loaded by those pages only that may connect.
		if shared := h.Get("Access-Control-Allow-Origin") != ""; shared != strings.HasPrefix(tt.path, pathClient) {
			t.Errorf("%s: shared with other origins: %v", tt.path, shared)
		}
	}
}
