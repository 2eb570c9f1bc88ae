package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// The program prints where it listens, and when it is told to stop, whoever
// waits for something is told so.
func TestRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", in, slog.New(slog.DiscardHandler)) }()

	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "mochibosh demo: ")
	if !ok {
		t.Fatalf("printed %q", line)
	}

	session, key := create(t, url)
	r, err := http.NewRequest("GET", url+"/push/sse?attach=1&session="+session, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	events, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	stop()
	said, err := io.ReadAll(events.Body)
	if err != nil || !strings.Contains(string(said), `"code":"shutdown"`) {
		t.Errorf("the stream said %s, %v", said, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func create(t *testing.T, url string) (session, key string) {
	t.Helper()
	resp, err := http.Post(url+"/push", "text/plain", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var created struct{ Session, Key string }
	if err := json.NewDecoder(resp.Body).Decode(&created); err != nil {
		t.Fatal(err)
	}
	return created.Session, created.Key
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	chat := startChat(t, webpush.Options{})
	for path, kind := range map[string]string{
		"/": "text/html", "/app.js": "text/javascript", "/theme.css": "text/css", "/icon.svg": "image/svg+xml",
		"/mochi/mochi.js": "text/javascript", "/mochi/bosh/session.js": "text/javascript",
		"/push/doctor/": "text/html", "/push/doctor/probes.js": "text/javascript",
		"/mochi/mochi.min.js": "text/javascript", "/mochi/bosh.min.js": "text/javascript", "/mochi/reload.min.js": "text/javascript",
	} {
		r, err := http.NewRequest("GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		chat.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != 200 || !strings.HasPrefix(h.Get("Content-Type"), kind) || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self';") {
			t.Errorf("%s: %d, %v", path, w.Code, h)
		}
	}
}
