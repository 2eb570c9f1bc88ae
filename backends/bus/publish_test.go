package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func TestPublishOverHTTP(t *testing.T) {
	b := New(&Options{MaxMessage: 100, MaxTopics: 2, Authorize: func(ctx context.Context, st *transport.Stream, op Op, topic string) error {
		if st != nil || op != OpPublish || topic == "private" {
			return errors.New("no")
		}
		return nil
	}})
	big := `"` + strings.Repeat("x", 99) + `"`
	refused := func(code, text string) string {
		return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, text)
	}
	for _, tt := range []struct {
		name, method, body string
		status             int
		want               string
	}{
		{"a message", "POST", `{"topic":"t","data":{"a":1},"more":[]}`, 200, `{"topic":"t","epoch":"E","offset":1}`},
		{"a message with an id", "POST", `{"topic":"t","data":2,"id":"x","key":"k"}`, 200, `{"topic":"t","epoch":"E","offset":2}`},
		{"its repetition", "POST", `{"topic":"t","data":2,"id":"x"}`, 200, `{"topic":"t","epoch":"E","offset":2,"duplicate":true}`},
		{"a topic that JSON escapes", "POST", `{"topic":"<\"é>","data":2}`, 200, `{"topic":"\u003c\"é\u003e","epoch":"E","offset":1}`},
		{"one topic too many", "POST", `{"topic":"v","data":2}`, 503, refused("too-many-topics", "the server has too many topics")},
		{"GET", "GET", ``, 405, refused("method-not-allowed", "only POST is allowed here")},
		{"no body", "POST", ``, 400, refused("bad-request", "not JSON")},
		{"not JSON", "POST", `topic=t`, 400, refused("bad-request", "not JSON")},
		{"something after it", "POST", `{"topic":"t","data":1} 2`, 400, refused("bad-request", "not JSON")},
		{"not UTF-8", "POST", "{\"topic\":\"t\",\"data\":\"\xff\"}", 400, refused("bad-request", "not UTF-8")},
		{"not an object", "POST", `"t"`, 400, refused("bad-request", "not an object")},
		{"no topic", "POST", `{"data":1}`, 400, refused("bad-request", "topic is missing or empty")},
		{"a topic that is a number", "POST", `{"topic":1,"data":1}`, 400, refused("bad-request", "topic is not a string")},
		{"no data", "POST", `{"topic":"t"}`, 400, refused("bad-request", "data is missing")},
		{"not allowed", "POST", `{"topic":"private","data":1}`, 403, refused("forbidden", "publish is not allowed here")},
		{"too much data", "POST", `{"topic":"t","data":` + big + `}`, 413, refused("too-big", "data is longer than 100 bytes")},
		{"too long a body", "POST", `{"topic":"t","x":"` + strings.Repeat("x", 10_000) + `"}`, 413, refused("too-big", "the body is too long")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			b.PublishHandler().ServeHTTP(w, httptest.NewRequest(tt.method, "/api/publish", strings.NewReader(tt.body)))
			got := strings.TrimSpace(new(names).hide(w.Body.String()))
			if w.Code != tt.status || got != tt.want {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, got, tt.status, tt.want)
			}
			h := w.Header()
			if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", h)
			}
			if (h.Get("Allow") == "POST") != (w.Code == 405) {
				t.Errorf("Allow: %q with status %d", h.Get("Allow"), w.Code)
			}
		})
	}
}

// pipe is a listener with one connection in memory.
type pipe struct{ conns chan net.Conn }

func (l pipe) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipe) Close() error   { close(l.conns); return nil }
func (l pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestSlowBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pause  time.Duration
		status int
	}{
		{"a body within BodyTimeout is taken", 10*time.Second - 1, 200},
		{"a later one is slow", 10*time.Second + 1, 408},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			client, server := net.Pipe()
			l := pipe{make(chan net.Conn, 1)}
			l.conns <- server
			s := &http.Server{Handler: New(nil).PublishHandler()}
			go s.Serve(l)
			defer s.Close()
			var writer sync.WaitGroup
			defer writer.Wait()
			writer.Go(func() {
				fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n{\"topic\":")
				time.Sleep(tt.pause)
				fmt.Fprintf(client, `"t","data":1}`)
			})
			r, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != tt.status || r.Close != (tt.status == 408) {
				t.Errorf("status %s, close %v", r.Status, r.Close)
			}
			client.Close()
		}))
	}
}

func TestPublishingFromPagesOfOtherOrigins(t *testing.T) {
	b := New(nil)
	for origin, status := range map[string]int{"": 200, "http://example.com": 200, "https://evil.example": 403, "null": 403} {
		r := httptest.NewRequest("POST", "http://example.com/api/publish", strings.NewReader(`{"topic":"t","data":1}`))
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		if b.PublishHandler().ServeHTTP(w, r); w.Code != status {
			t.Errorf("from %q: got %d %s", origin, w.Code, w.Body)
		}
	}
}
