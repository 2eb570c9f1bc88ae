//go:build linux

package httpd_test

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/httpd"
)

// net/http is the oracle: the same bytes, sent to both servers, get the same
// answers.

// routes has a handler for everything that handlers may do.
func routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, f http.HandlerFunc) { mux.HandleFunc(path, f) }
	handle("/nothing", func(http.ResponseWriter, *http.Request) {})
	handle("/small", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<p>hello") })
	handle("/declared", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header().Set("Content-Type", "text/x")
		io.WriteString(w, "hello")
	})
	handle("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "50")
		io.WriteString(w, "hello")
	})
	handle("/long", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "hello, world")
		if err == http.ErrContentLength {
			io.WriteString(w, "right")
		}
	})
	handle("/big", func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			io.WriteString(w, strings.Repeat("x", 97))
		}
	})
	handle("/bigdeclared", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "97000")
		for range 1000 {
			io.WriteString(w, strings.Repeat("x", 97))
		}
	})
	handle("/flushed", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
	})
	handle("/status", func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscan(r.URL.RawQuery, &status)
		w.Header().Set("X-Before", "1")
		w.WriteHeader(status)
		w.Header().Set("X-After", "1")
		_, err := io.WriteString(w, "body")
		if err != nil && err != http.ErrBodyNotAllowed {
			panic(err)
		}
	})
	handle("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	})
	handle("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-None")
		io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "5")
		w.Header().Set(http.TrailerPrefix+"X-Late", "6")
		w.(http.Flusher).Flush()
	})
	handle("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Header().Set("X-Split", "a\r\nX-Evil: b")
		w.Header().Set("bad name", "c")
		w.Header()["Content-Type"] = nil
		w.Header()["Date"] = nil
		io.WriteString(w, "hello")
	})
	handle("/connection", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", r.URL.Query().Get("v"))
		io.WriteString(w, "hello")
	})
	handle("/coding", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", r.URL.Query().Get("v"))
		io.WriteString(w, "hello")
	})
	handle("/type", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, "hello")
	})
	handle("/request", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		names := []string{}
		for name, values := range r.Header {
			names = append(names, fmt.Sprintf("%s=%q", name, values))
		}
		slices.Sort(names)
		fmt.Fprintf(w, "%s %s %s %s %q %v %v %v %v\n%s\n%q %v", r.Method, r.RequestURI, r.Proto, r.URL, r.Host, r.ContentLength, r.TransferEncoding, r.Close, r.Trailer, names, body, err)
	})
	handle("/unread", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "no") })
	handle("/half", func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 2))
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	})
	handle("/abort", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	handle("/panic", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "never seen")
		panic("on purpose")
	})
	handle("/context", func(w http.ResponseWriter, r *http.Request) {
		local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		_, server := r.Context().Value(http.ServerContextKey).(*http.Server)
		fmt.Fprint(w, local.Network(), server)
	})
	handle("/hijack", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		line, _ := rw.ReadString('\n')
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nX-Line: %s\r\n\r\n", strings.TrimSpace(line))
		rw.Flush()
	})
	return mux
}

// A server is one of either kind.
type server struct {
	name string
	addr string
}

func start(t testing.TB, h http.Handler) (all []server) {
	quiet := log.New(io.Discard, "", 0)
	oracle := &http.Server{Handler: h, ErrorLog: quiet, MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second}
	other := &http.Server{Handler: h, ErrorLog: quiet, Protocols: new(http.Protocols)}
	other.Protocols.SetHTTP1(true)
	other.Protocols.SetUnencryptedHTTP2(true)
	ours := &httpd.Server{Options: httpd.Options{Handler: h, Other: other, MaxHeader: 16 << 10, HeaderTimeout: 5 * time.Second}}
	for name, s := range map[string]interface {
		Serve(net.Listener) error
		Close() error
	}{"net/http": oracle, "httpd": ours} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(ln) }()
		t.Cleanup(func() {
			s.Close()
			if err := <-done; err != http.ErrServerClosed {
				t.Errorf("%s: %v", name, err)
			}
		})
		all = append(all, server{name, ln.Addr().String()})
	}
	slices.SortFunc(all, func(a, b server) int { return strings.Compare(b.name, a.name) })
	return all // the oracle first
}

// ask sends bytes, in pieces, closes its side, and returns all that comes.
func (s server) ask(t testing.TB, pieces ...string) string {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(2 * time.Millisecond) // a segment of its own, mostly
			}
			io.WriteString(c, p)
		}
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%s: %v after %q", s.name, err, got)
	}
	return string(got)
}

// refusals are answers of the servers themselves, whose text is theirs.
var refusals = []int{400, 417, 431, 501, 505}

// normal brings answers into a form that can be compared.
func normal(raw string, methods ...string) string {
	var b strings.Builder
	in := bufio.NewReader(strings.NewReader(raw))
	for i := 0; ; i++ {
		if _, err := in.Peek(1); err != nil {
			return b.String()
		}
		method := "GET"
		if i < len(methods) {
			method = methods[i]
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			rest, _ := io.ReadAll(in)
			fmt.Fprintf(&b, "unreadable: %v %q\n", err, rest)
			return b.String()
		}
		body, err := io.ReadAll(resp.Body)
		if d := resp.Header["Date"]; len(d) == 1 {
			if _, err := http.ParseTime(d[0]); err == nil {
				resp.Header["Date"] = []string{"now"}
			}
		}
		if resp.Close && slices.Contains(refusals, resp.StatusCode) {
			fmt.Fprintf(&b, "refused: %d\n", resp.StatusCode)
			continue
		}
		if len(body) > 1000 {
			body = fmt.Appendf(nil, "%d bytes, sum %x", len(body), crc32.ChecksumIEEE(body))
		}
		names := []string{}
		for name, values := range resp.Header {
			names = append(names, fmt.Sprintf("%s=%q", name, values))
		}
		slices.Sort(names)
		fmt.Fprintf(&b, "%s %s length %d coding %v close %v\n%s\n%q %v %v\n", resp.Proto, resp.Status, resp.ContentLength, resp.TransferEncoding, resp.Close, names, body, err, resp.Trailer)
		if resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != 101 {
			i--
		}
	}
}

func get(target string, fields ...string) string {
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: a"}, fields...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

var table = []struct {
	name   string
	pieces []string
	heads  bool // the first is HEAD
	closes bool // we say that the connection ends, net/http only ends it
}{
	{name: "nothing at all", pieces: []string{""}},
	{name: "nothing", pieces: []string{get("/nothing")}},
	{name: "small", pieces: []string{get("/small")}},
	{name: "declared", pieces: []string{get("/declared")}},
	{name: "declared and short", pieces: []string{get("/short"), get("/small")}},
	{name: "declared and long", pieces: []string{get("/long") + get("/small")}},
	{name: "big", pieces: []string{get("/big") + get("/small")}},
	{name: "big, declared", pieces: []string{get("/bigdeclared") + get("/small")}},
	{name: "flushed", pieces: []string{get("/flushed") + get("/small")}},
	{name: "not found", pieces: []string{get("/none")}},
	{name: "redirected", pieces: []string{get("//small")}},
	{name: "status 200", pieces: []string{get("/status?200")}},
	{name: "status 204", pieces: []string{get("/status?204") + get("/small")}},
	{name: "status 304", pieces: []string{get("/status?304") + get("/small")}},
	{name: "status 404", pieces: []string{get("/status?404")}},
	{name: "status 599", pieces: []string{get("/status?599")}},
	{name: "status without sense", pieces: []string{get("/status?42")}},
	{name: "early hints", pieces: []string{get("/early")}},
	{name: "trailer", pieces: []string{get("/trailer") + get("/small")}},
	{name: "headers", pieces: []string{get("/headers")}},
	{name: "handler closes", pieces: []string{get("/connection?v=close") + get("/small")}},
	{name: "handler keeps", pieces: []string{get("/connection?v=keep-alive") + get("/small")}},
	{name: "coding identity", pieces: []string{get("/coding?v=identity")}},
	{name: "coding chunked", pieces: []string{get("/coding?v=chunked")}},
	{name: "content coding", pieces: []string{get("/type")}},
	{name: "abort", pieces: []string{get("/abort")}},
	{name: "panic", pieces: []string{get("/panic")}},
	{name: "context", pieces: []string{get("/context")}},
	{name: "hijack", pieces: []string{get("/hijack") + "a line\n"}},
	{name: "hijack, later", pieces: []string{get("/hijack"), "a line\n"}},
	{name: "HEAD", pieces: []string{"HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n" + get("/small")}, heads: true},
	{name: "HTTP/1.0 that closes by the handler", pieces: []string{"GET /connection?v=close HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/small")}},
	{name: "trailer without promise", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\nX-B: c\r\n\r\n" + get("/small")}},
	{name: "HEAD of nothing", pieces: []string{"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + get("/small")}, heads: true},
	{name: "HEAD of much", pieces: []string{"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n" + get("/small")}, heads: true},
	{name: "HEAD of declared", pieces: []string{"HEAD /declared HTTP/1.1\r\nHost: a\r\n\r\n" + get("/small")}, heads: true},
	{name: "HTTP/1.0", pieces: []string{"GET /small HTTP/1.0\r\n\r\n" + get("/small")}},
	{name: "HTTP/1.0 big", pieces: []string{"GET /big HTTP/1.0\r\n\r\n" + get("/small")}},
	{name: "HTTP/1.0 kept alive", pieces: []string{"GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/small")}},
	{name: "HTTP/1.0 kept alive, big", pieces: []string{"GET /big HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/small")}},
	{name: "HTTP/1.0 flushed", pieces: []string{"GET /flushed HTTP/1.0\r\n\r\n"}},
	{name: "client closes", pieces: []string{get("/small", "Connection: close") + get("/small")}},
	{name: "client closes among others", pieces: []string{get("/small", "Connection: TE, Close") + get("/small")}},
	{name: "two at once", pieces: []string{get("/small") + get("/request")}},
	{name: "cut anywhere", pieces: strings.SplitAfter(get("/request", "Accept: x")+get("/small"), "e")},
	{name: "absolute target", pieces: []string{get("http://b/request")}},
	{name: "query", pieces: []string{get("/request?a=%20b&c")}},
	{name: "asterisk", pieces: []string{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"}},
	{name: "CONNECT", pieces: []string{"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"}},
	{name: "names and values", pieces: []string{get("/request", "x-lower: 1", "X-Empty:", "X-Space: \t a b \t", "x-lower: 2", "X-É: no")}},
	{name: "values beyond ASCII", pieces: []string{get("/request", "X-A: é")}},
	{name: "pragma", pieces: []string{get("/request", "Pragma: no-cache")}},
	{name: "bare line feeds", pieces: []string{"GET /request HTTP/1.1\nHost: a\n\n"}},
	{name: "line end too many", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n" + get("/small")}},
	{name: "body", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/small")}},
	{name: "empty body", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + get("/small")}},
	{name: "body in pieces", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "he", "llo" + get("/small")}},
	{name: "body cut off", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"}, closes: true},
	{name: "large body", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000) + get("/small")}},
	{name: "chunks", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n" + get("/small")}},
	{name: "chunks in pieces", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r", "\nhe", "l\r\n0\r\n", "\r\n" + get("/small")}},
	{name: "chunks cut off", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2"}},
	{name: "chunks and trailer", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTrailer: X-A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n\r\n" + get("/small")}},
	{name: "bad trailer", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}},
	{name: "bad chunk", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n\r\n"}},
	{name: "body unread", pieces: []string{"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/small")}},
	{name: "chunks unread", pieces: []string{"POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n" + get("/small")}},
	{name: "much unread", pieces: []string{"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000000) + get("/small")}},
	{name: "half read", pieces: []string{"POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/small")}},
	{name: "expects", pieces: []string{"POST /request HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello" + get("/small")}},
	{name: "expects in vain", pieces: []string{"POST /unread HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"}},
	{name: "expects with HTTP/1.0", pieces: []string{"POST /request HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"}},
	{name: "expects something else", pieces: []string{get("/request", "Expect: miracle")}},

	{name: "no line", pieces: []string{"hello\r\n\r\n"}},
	{name: "no version", pieces: []string{"GET /\r\n\r\n"}},
	{name: "bad version", pieces: []string{"GET / HTTP/one\r\nHost: a\r\n\r\n"}},
	{name: "another version", pieces: []string{"GET / HTTP/3.0\r\nHost: a\r\n\r\n"}},
	{name: "HTTP/1.7", pieces: []string{"GET /request HTTP/1.7\r\nHost: a\r\n\r\n"}},
	{name: "bad method", pieces: []string{"G@T / HTTP/1.1\r\nHost: a\r\n\r\n"}},
	{name: "bad target", pieces: []string{get("small")}},
	{name: "no host", pieces: []string{"GET /small HTTP/1.1\r\n\r\n"}},
	{name: "empty host", pieces: []string{"GET /request HTTP/1.1\r\nHost:\r\n\r\n"}},
	{name: "no host in HTTP/1.0", pieces: []string{"GET /request HTTP/1.0\r\n\r\n"}},
	{name: "two hosts", pieces: []string{get("/small", "Host: b")}},
	{name: "bad host", pieces: []string{"GET /small HTTP/1.1\r\nHost: a b\r\n\r\n"}},
	{name: "no colon", pieces: []string{get("/small", "X-A")}},
	{name: "space before colon", pieces: []string{get("/small", "X-A : b")}},
	{name: "space before name", pieces: []string{"GET /small HTTP/1.1\r\n Host: a\r\n\r\n"}},
	{name: "empty name", pieces: []string{get("/small", ": b")}},
	{name: "control character", pieces: []string{get("/small", "X-A: b\x01")}},
	{name: "carriage return within", pieces: []string{get("/small", "X-A: b\rX-B: c")}},
	{name: "header too large", pieces: []string{get("/small", "X-A: "+strings.Repeat("x", 40000))}},
	{name: "header without end", pieces: []string{"GET /small HTTP/1.1\r\nHost: a\r\nX"}},
	{name: "length no number", pieces: []string{get("/small", "Content-Length: x")}},
	{name: "length with sign", pieces: []string{get("/small", "Content-Length: +5")}},
	{name: "length negative", pieces: []string{get("/small", "Content-Length: -5")}},
	{name: "length empty", pieces: []string{get("/small", "Content-Length:")}},
	{name: "length huge", pieces: []string{get("/small", "Content-Length: 99999999999999999999")}},
	{name: "two lengths", pieces: []string{get("/small", "Content-Length: 5", "Content-Length: 6")}},
	{name: "unknown coding", pieces: []string{get("/small", "Transfer-Encoding: gzip, chunked")}},
	{name: "two codings", pieces: []string{get("/small", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}},
}

func TestLikeNetHTTP(t *testing.T) {
	servers := start(t, routes())
	for _, test := range table {
		t.Run(test.name, func(t *testing.T) {
			methods := []string{"GET"}
			if test.heads {
				methods = []string{"HEAD"}
			}
			want := normal(servers[0].ask(t, test.pieces...), methods...)
			got := normal(servers[1].ask(t, test.pieces...), methods...)
			if test.closes {
				want = strings.Replace(want, "close false", "close true", 1)
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
