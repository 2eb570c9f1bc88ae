//go:build linux

package httpd_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Whatever is sent: we understand it as net/http does, or refuse it.
func FuzzLikeNetHTTP(f *testing.F) {
	for _, test := range table {
		if text := strings.Join(test.pieces, ""); len(text) < 10_000 && !strings.Contains(text, "/hijack") {
			f.Add([]byte(text))
		}
	}
	for _, text := range []string{
		get("/", "Transfer-Encoding: chunked", "Content-Length: 3") + "0\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/"),
		get("/", "Content-Length: 1", "Content-Length: 1") + "x",
		get("/", "X-A: b", " folded"),
		"\r\n\r\n" + get("/"),
		get("/", "Connection: upgrade, keep-alive, close"),
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\nx\n0\n\n",
	} {
		f.Add([]byte(text))
	}
	servers := start(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			panic(http.ErrAbortHandler) // answers would be hard to tell apart
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1000))
		w.Header().Set("Content-Type", "text/plain")
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "bad body", http.StatusBadRequest)
			return
		}
		answer := fmt.Sprintf("%s %q %s %q %v %v %v %q %q", r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, r.Close, fmt.Sprint(r.Header), body)
		w.Header().Set("Content-Length", strconv.Itoa(len(answer))) // by themselves, the servers choose it up to different sizes
		io.WriteString(w, answer)
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.HasPrefix(string(data), "PRI ") {
			return // HTTP/2
		}
		want := answers(servers[0].ask(t, string(data)))
		got := answers(servers[1].ask(t, string(data)))
		for i, a := range got {
			switch {
			case strings.HasPrefix(a, "refused"):
				return
			case i >= len(want):
				return // net/http closed the connection, and understood nothing else
			case a != want[i]:
				t.Fatalf("answer %d: got\n%s\nwant\n%s", i, a, want[i])
			}
		}
		if len(got) < len(want) && !strings.HasPrefix(want[len(got)], "refused") {
			t.Fatalf("%d answers, want %d: %s", len(got), len(want), want[len(got)])
		}
	})
}

// answers splits what came into answers, without what may differ: the
// connection may end earlier than net/http says.
func answers(raw string) (all []string) {
	for _, a := range strings.SplitAfter(normal(raw), "map[]\n") {
		a = strings.ReplaceAll(a, "close true", "close false")
		a = strings.Replace(a, `Connection=["keep-alive"] `, "", 1)
		if a != "" {
			all = append(all, a)
		}
	}
	return all
}
