package bosh_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// HTTP as BOSH needs it: XEP-0124 §5, RFC 9110, RFC 9112.

// dial opens a connection for requests that http.Transport would not write.
func (w *world) dial() net.Conn {
	c, err := w.net.Dial(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// raw writes bytes and reads one response.
func (w *world) raw(c net.Conn, in *bufio.Reader, text string) *answer {
	go io.WriteString(c, text)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return &answer{err: err, after: time.Since(w.start)}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return &answer{
		status: resp.StatusCode, header: resp.Header, length: resp.ContentLength, xml: string(data),
		chunked: len(resp.TransferEncoding) > 0, err: err, after: time.Since(w.start),
	}
}

func TestHTTP(t *testing.T) {
	t.Run("B-05.6 B-06.13 B-07.17 H-15 T-15 T-33 every answer has its length, type, and is not stored", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		w.backend.stream().send("<big xmlns='urn:test'>" + strings.Repeat("é", 5000) + "</big>")
		for name, a := range map[string]*answer{
			"creation": c.created, "big": c.post(c.at(1, "", "")), "error": c.post("x"),
		} {
			h := a.header
			if a.chunked || a.length != int64(len(a.xml)) || len(h["Content-Length"]) != 1 {
				t.Errorf("%s: length %d of %d, chunked %v", name, a.length, len(a.xml), a.chunked)
			}
			if got := h["Content-Type"]; len(got) != 1 || got[0] != "text/xml; charset=utf-8" {
				t.Errorf("%s: type %q", name, got)
			}
			if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Encoding") != "" {
				t.Errorf("%s: headers %v", name, h)
			}
		}
	}))

	t.Run("B-05.2 B-05.9 headers and type of a request do not matter", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		for n, typ := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "multipart/form-data", "text/xml; charset=iso-8859-1"} {
			r := w.request(t.Context(), c.at(n+1, "", payload(n)))
			r.Header.Set("Content-Type", typ)
			r.Header.Set("X-Foo", "bar")
			r.Header.Set("Accept", "image/png")
			w.wantXML(typ, w.do(r), empty)
		}
	}))

	t.Run("B-02.2 H-04 H-07 HTTP/1.0, with a connection for each request or one for all", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.backend.stream().send("<big xmlns='urn:test'>" + strings.Repeat("x", 5000) + "</big>")
		old := func(n int, header string) string {
			xml := c.at(n, "", "")
			return fmt.Sprintf("POST / HTTP/1.0\r\n%sContent-Length: %d\r\n\r\n%s", header, len(xml), xml)
		}
		conn := w.dial()
		in := bufio.NewReader(conn)
		a := w.raw(conn, in, old(1, ""))
		if a.err != nil || a.chunked || a.length != int64(len(a.xml)) || a.length < 5000 {
			t.Errorf("got %+v", a)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("the connection stays open: %v", err)
		}
		conn = w.dial()
		in = bufio.NewReader(conn)
		for n := 2; n <= 4; n++ {
			w.wantXML("kept alive", w.raw(conn, in, old(n, "Connection: keep-alive\r\n")), empty)
		}
	}))

	t.Run("H-05 a body in chunks", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		r := w.request(t.Context(), "")
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(c.at(1, "", payload(1))[:20]), strings.NewReader(c.at(1, "", payload(1))[20:]))), -1
		w.wantXML("chunked", w.do(r), empty)
		w.wantReceived("chunked", payload(1))
	}))

	t.Run("H-03 H-05 what net/http refuses before any handler", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		long := "X-Long: " + strings.Repeat("x", 1<<21) + "\r\n"
		for _, test := range []struct {
			name, head string
			status     int
		}{
			{"no Host", "HTTP/1.1\r\nContent-Length: 5\r\n", 400},
			{"two Hosts", "HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 5\r\n", 400},
			{"two lengths", "HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n", 400},
			{"a length that is none", "HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n", 400},
			{"a coding besides chunked", "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501},
			{"too much header", "HTTP/1.1\r\nHost: a\r\n" + long, 431},
		} {
			conn := w.dial()
			in := bufio.NewReader(conn)
			a := w.raw(conn, in, "POST / "+test.head+"\r\nhello"+rawPost(body("rid='5' to='be.test'", "")))
			if a.err != nil || a.status != test.status {
				t.Errorf("%s: got %d %v, want %d", test.name, a.status, a.err, test.status)
			}
			if _, err := in.ReadByte(); err == nil {
				t.Errorf("%s: what follows is answered, too", test.name)
			}
		}
		if w.backend.opened() != 0 {
			t.Error("a session was made")
		}
	}))

	t.Run("H-08 a client that waits for 100 Continue", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.transport.ExpectContinueTimeout = time.Hour
		r := w.request(t.Context(), c.at(1, "", payload(1)))
		r.Header.Set("Expect", "100-continue")
		a := w.do(r)
		w.wantXML("request", a, empty)
		w.wantAfter("request", a, 0)
	}))

	t.Run("B-05.4 H-01 H-02 T-34 only a POST touches sessions", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			r := w.request(t.Context(), body("rid='5' to='be.test'", ""))
			r.Method = method
			a := w.do(r)
			want := map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204}[method]
			if want == 0 {
				want = 405
			}
			if a.status != want || (want == 405 || want == 204) && a.header.Get("Allow") != "POST, GET, HEAD, OPTIONS" {
				t.Errorf("%s: %d %v", method, a.status, a.header)
			}
			if (a.xml == "") != (method == "HEAD" || method == "OPTIONS") {
				t.Errorf("%s: body %q", method, a.xml)
			}
		}
		if w.backend.opened() != 0 {
			t.Error("a session was made")
		}
	}))

	t.Run("H-14 T-34 any path and query, never a redirect", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		for _, path := range []string{"/http-bind/", "//http-bind", "/?room=x"} {
			r := w.request(t.Context(), body("rid='5' to='be.test'", ""))
			r.URL.Opaque = path
			if a := w.do(r); a.status != 200 || a.attrs["sid"] == "" {
				t.Errorf("%s: %d %q", path, a.status, a.xml)
			}
		}
	}))

	t.Run("H-06 A-8 too big a body gets its answer, and the connection is closed", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{MaxBody: 1000}})
		c := w.create("wait='0'")
		for _, chunked := range []bool{false, true} {
			r := w.request(t.Context(), c.at(1, "", strings.Repeat("x", 1<<20)))
			if chunked {
				r.ContentLength = -1
			}
			a := w.do(r)
			w.wantXML("too big", a, terminal("policy-violation"))
			if !a.closed {
				t.Errorf("the connection stays open: %v", a.header)
			}
		}
		w.wantXML("the session lives", c.post(c.at(1, "", "")), empty)
	}))

	t.Run("a slow body gets its answer, and the connection is closed", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{BodyTimeout: 5 * time.Second}})
		c := w.create("")
		conn := w.dial()
		in := bufio.NewReader(conn)
		a := w.raw(conn, in, "POST / HTTP/1.1\r\nHost: bosh.test\r\nContent-Length: 1000\r\n\r\n<body ")
		w.wantXML("slow", a, terminal("policy-violation"))
		w.wantAfter("slow", a, 5*time.Second)
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("the connection stays open: %v", err)
		}
		held := c.begin(c.at(1, "", ""))
		time.Sleep(50 * time.Second)
		w.wantHeld("the deadline is for the body alone", held)
		w.wantXML("after its wait", held.answer(), empty)
	}))

	t.Run("H-17 a server's own write time-out does not cut what is held", bubble(func(t *testing.T) {
		w := newWorld(t, settings{wrap: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
				h.ServeHTTP(w, r)
			})
		}})
		c := w.create("")
		w.wantXML("held", c.post(c.at(1, "", "")), empty)
	}))

	t.Run("a client that does not read its answer is cut, and may ask again", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{WriteTimeout: 5 * time.Second}})
		c := w.create("wait='0'")
		w.backend.stream().send(payload(1))
		conn := w.dial()
		xml := c.at(1, "", "")
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: bosh.test\r\nContent-Length: %d\r\n\r\n%s", len(xml), xml)
		time.Sleep(6 * time.Second)
		if _, err := bufio.NewReader(conn).ReadByte(); err == nil {
			t.Error("not cut")
		}
		if a := c.post(xml); len(a.payloads) != 1 {
			t.Errorf("repeat: %q", a.xml)
		}
	}))

	t.Run("H-19 all of it over one connection of HTTP/2", bubble(func(t *testing.T) {
		w := newWorld(t, settings{http2: true, bosh: bosh.Options{MaxBody: 10000}})
		c := w.create("")
		one := c.begin(c.at(1, "", payload(1)))
		w.wantHeld("first", one)
		two := c.begin(c.at(2, "", payload(2)))
		w.wantXML("first", one.answer(), empty)
		two.cancel()
		w.backend.stream().send(payload(3))
		w.wantXML("B-02.3 repeat", c.post(c.at(2, "", payload(2))), "<body xmlns='"+ns+"'>"+payload(3)+"</body>")
		w.wantReceived("all", payload(1)+" "+payload(2))
		w.wantXML("too big", c.post(c.at(3, "", strings.Repeat("x", 20000))), terminal("policy-violation"))
		w.wantXML("end", c.post(c.at(3, "type='terminate'", "")), "<body xmlns='"+ns+"' type='terminate'/>")
	}))

	t.Run("B-05.10 the requests of a session come over any connection", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		var conns [3]net.Conn
		var ins [3]*bufio.Reader
		for i := range conns {
			conns[i] = w.dial()
			ins[i] = bufio.NewReader(conns[i])
		}
		for n := 1; n <= 9; n++ {
			xml := c.at(n, "", payload(n))
			a := w.raw(conns[n%3], ins[n%3], fmt.Sprintf("POST / HTTP/1.1\r\nHost: bosh.test\r\nContent-Length: %d\r\n\r\n%s", len(xml), xml))
			w.wantXML(fmt.Sprint(n), a, empty)
		}
	}))
}

func TestCORS(t *testing.T) {
	with := func(w *world, method, origin, xml string) *answer {
		r := w.request(w.t.Context(), xml)
		r.Method = method
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "content-type")
		}
		return w.do(r)
	}
	creation := body("rid='5' to='be.test'", "")

	tests := []struct {
		name    string
		origins []string
		origin  string
		allowed string // Access-Control-Allow-Origin; "-" if the request is refused
	}{
		{"no page", nil, "", ""},
		{"the same host", nil, "https://bosh.test", "https://bosh.test"},
		{"C-12 T-25 another host", nil, "https://evil.test", "-"},
		{"C-11 a page from nowhere", nil, "null", "-"},
		{"C-01 C-02 C-03 C-04 C-05 C-06 C-07 C-08 C-09 T-25 one of the list", []string{"https://a.test", "https://b.test"}, "https://b.test", "https://b.test"},
		{"C-03 another port", []string{"https://a.test"}, "https://a.test:8443", "-"},
		{"the same host, not in the list", []string{"https://a.test"}, "https://bosh.test", "https://bosh.test"},
		{"no page, with a list", []string{"https://a.test"}, "", ""},
		{"C-11 nowhere, if listed", []string{"null"}, "null", "null"},
		{"C-10 anybody", []string{"*"}, "https://evil.test", "*"},
		{"C-10 anybody, no page", []string{"*"}, "", "*"},
	}
	for _, test := range tests {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{bosh: bosh.Options{Origins: test.origins, Headers: []string{"X-Custom"}}})
			refused := test.allowed == "-"
			answers := map[string]*answer{
				"preflight": with(w, "OPTIONS", test.origin, ""),
				"creation":  with(w, "POST", test.origin, creation),
				"error":     with(w, "POST", test.origin, "<x"),
				"page":      with(w, "GET", test.origin, ""),
				"method":    with(w, "PUT", test.origin, ""),
			}
			for name, a := range answers {
				got, vary := a.header.Get("Access-Control-Allow-Origin"), a.header.Get("Vary")
				switch {
				case refused && (got != "" || a.status != 403):
					t.Errorf("%s: %d, allowed %q", name, a.status, got)
				case !refused && (got != test.allowed || a.status == 403):
					t.Errorf("%s: %d, allowed %q, want %q", name, a.status, got, test.allowed)
				case (vary == "Origin") == (test.allowed == "*"):
					t.Errorf("C-10 %s: vary %q", name, vary)
				}
				credentials := a.header.Get("Access-Control-Allow-Credentials")
				if want := slices.Contains(test.origins, test.origin); (credentials == "true") != want {
					t.Errorf("%s: credentials %q", name, credentials)
				}
			}
			if !refused {
				h := answers["preflight"].header
				if h.Get("Access-Control-Max-Age") != "7200" || h.Get("Access-Control-Allow-Headers") != "Content-Type, X-Custom" ||
					!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
					t.Errorf("preflight: %v", h)
				}
			}
			if opened := w.backend.opened(); opened != map[bool]int{true: 0, false: 1}[refused] {
				t.Errorf("C-12 %d sessions were made", opened)
			}
		}))
	}
}

// What browsers send, as they send it.
func TestBrowsers(t *testing.T) {
	const page = "https://chat.test"
	t.Run("C-01 C-09 a preflight touches no session, and needs no cookie", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Origins: []string{page}}})
		c := w.create("")
		held := c.begin(c.at(1, "", ""))
		r := w.request(t.Context(), "")
		r.Method = "OPTIONS"
		r.Header.Set("Origin", page)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "content-type")
		if a := w.do(r); a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != page || a.header.Get("Set-Cookie") != "" {
			t.Errorf("got %d %v", a.status, a.header)
		}
		w.wantHeld("the request of the session", held)
	}))

	t.Run("C-07 every end and error can be read by the page", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Origins: []string{page}, MaxBody: 1000}})
		c := w.create("wait='0'")
		for name, xml := range map[string]string{
			"unknown sid": body("sid='x' rid='5'", ""), "unknown host": body("rid='5' to='nowhere.test'", ""), "no target": body("rid='5'", ""),
			"too big": c.at(1, "", strings.Repeat("x", 2000)), "an answer": c.at(1, "", ""), "no XML": "x",
		} {
			r := w.request(t.Context(), xml)
			r.Header.Set("Origin", page)
			a := w.do(r)
			if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != page || a.header.Get("Access-Control-Allow-Credentials") != "true" || !slices.Contains(a.header["Vary"], "Origin") {
				t.Errorf("C-08 C-10 %s: %d %v", name, a.status, a.header)
			}
		}
	}))

	t.Run("C-12 C-14 sendBeacon of a page that closes ends its session, that of another page does not", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Origins: []string{page}}})
		c := w.create("")
		beacon := func(origin string) *answer {
			r := w.request(t.Context(), c.at(1, "type='terminate'", payload(1)))
			r.Header.Set("Origin", origin)
			r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
			return w.do(r)
		}
		if a := beacon("https://evil.test"); a.status != 403 {
			t.Errorf("another page: %d", a.status)
		}
		w.wantReceived("before", "")
		w.wantEnd("the page", beacon(page), "end")
		w.wantReceived("after", payload(1)+" closed")
	}))
}
