package pipelined_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/internal/pipelined"
)

// The handler of these tests holds a request to /held until there is another
// behind it, or the client goes away.
func handler(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/held" {
		behind := make(chan bool, 1)
		defer pipelined.Watch(r, func() { behind <- true })()
		select {
		case <-behind:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	fmt.Fprintf(w, "%s %s tls=%v", r.URL.Path, r.Proto, r.TLS != nil)
}

// serve starts a server on loopback, and returns its address.
func serve(tb testing.TB, set func(*http.Server), wrap func(net.Listener) net.Listener) (addr string, ended chan error) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	if wrap != nil {
		ln = wrap(ln)
	}
	srv := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: log.New(io.Discard, "", 0), ConnContext: pipelined.ConnContext}
	if set != nil {
		set(srv)
	}
	ended = make(chan error, 1)
	ln = pipelined.Listen(ln)
	go func() { ended <- srv.Serve(ln) }()
	tb.Cleanup(func() { srv.Close() })
	return ln.Addr().String(), ended
}

func overTLS(tb testing.TB) (server func(net.Listener) net.Listener, client *tls.Config) {
	ts := httptest.NewUnstartedServer(nil)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	tb.Cleanup(ts.Close)
	client = ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	return func(ln net.Listener) net.Listener {
		return tls.NewListener(ln, &tls.Config{Certificates: ts.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
	}, client
}

func post(path string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
}

// wantAnswers reads the answers to come, by their bodies.
func wantAnswers(t *testing.T, in *bufio.Reader, want ...string) {
	t.Helper()
	for _, want := range want {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("want %q: %v", want, err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
			t.Fatalf("got %q %v, want %q", got, err, want)
		}
	}
}

func TestHeldRequestIsToldOfTheNext(t *testing.T) {
	secure, client := overTLS(t)
	ways := []struct {
		name, tls string
		wrap      func(net.Listener) net.Listener
		dial      func(addr string) (net.Conn, error)
	}{
		{"TCP", "false", nil, func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }},
		{"TLS", "true", secure, func(addr string) (net.Conn, error) { return tls.Dial("tcp", addr, client) }},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			addr, _ := serve(t, nil, way.wrap)
			c, err := way.dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			in := bufio.NewReader(c)
			io.WriteString(c, post("/held")+post("/held")+post("/last"))
			wantAnswers(t, in, "/held HTTP/1.1 tls="+way.tls, "/held HTTP/1.1 tls="+way.tls, "/last HTTP/1.1 tls="+way.tls)
			for _, part := range []string{post("/held"), post("/last")[:1], post("/last")[1:]} {
				io.WriteString(c, part)
			}
			wantAnswers(t, in, "/held HTTP/1.1 tls="+way.tls, "/last HTTP/1.1 tls="+way.tls)
		})
	}
}

func TestHTTP2IsServedAsBefore(t *testing.T) {
	secure, client := overTLS(t)
	t.Run("TLS", func(t *testing.T) {
		addr, _ := serve(t, nil, secure)
		transport := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		wantGet(t, transport, "https://"+addr+"/x", "/x HTTP/2.0 tls=true")
	})
	t.Run("without TLS", func(t *testing.T) {
		addr, _ := serve(t, func(srv *http.Server) {
			srv.Protocols = new(http.Protocols)
			srv.Protocols.SetHTTP1(true)
			srv.Protocols.SetUnencryptedHTTP2(true)
		}, nil)
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer transport.CloseIdleConnections()
		for range 3 {
			wantGet(t, transport, "http://"+addr+"/x", "/x HTTP/2.0 tls=false")
		}
		// Requests side by side do not stand in each other's way: this one is
		// held until its client gives up.
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/held", nil)
		held := make(chan error, 1)
		go func() { _, err := transport.RoundTrip(r); held <- err }()
		wantGet(t, transport, "http://"+addr+"/x", "/x HTTP/2.0 tls=false")
		cancel()
		if err := <-held; !errors.Is(err, context.Canceled) {
			t.Errorf("the held request: %v", err)
		}
	})
}

func wantGet(t *testing.T, transport http.RoundTripper, url, want string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}

// Where requests in chunks end is not known. What comes behind one is noticed
// all the same, unless it comes together with it.
func TestChunkedRequests(t *testing.T) {
	read := make(chan bool, 1)
	addr, _ := serve(t, func(srv *http.Server) {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			read <- true
			handler(w, r)
		})
	}, nil)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	chunked := "POST /held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	for range 5 {
		io.WriteString(c, chunked)
		<-read
		io.WriteString(c, post("/a"))
		wantAnswers(t, in, "/held HTTP/1.1 tls=false", "/a HTTP/1.1 tls=false")
		<-read
	}
}

func TestHijack(t *testing.T) {
	addr, _ := serve(t, func(srv *http.Server) {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "yours\n")
			io.Copy(c, rw)
		})
	}, nil)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\nand this\n")
	if line, err := in.ReadString('\n'); line != "yours\n" {
		t.Fatalf("%q %v", line, err)
	}
	text := "and this\n"
	for _, line := range []string{"\r\n\r\n", post("/") + "\n", "\x00\xff\n", "PRI * HTTP/2.0\r\n"} {
		io.WriteString(c, line)
		text += line
	}
	c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(in); string(got) != text || err != nil {
		t.Errorf("got %q %v, want %q", got, err, text)
	}
}

func TestFailedHandshake(t *testing.T) {
	secure, _ := overTLS(t)
	addr, _ := serve(t, nil, secure)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	got, err := io.ReadAll(c)
	if !strings.HasPrefix(string(got), "HTTP/1.0 400 ") {
		t.Errorf("got %q %v, want what net/http says", got, err)
	}
}

func TestShutdown(t *testing.T) {
	secure, _ := overTLS(t)
	var server *http.Server
	addr, ended := serve(t, func(srv *http.Server) { server = srv }, secure)
	c, err := net.Dial("tcp", addr) // and no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection in its handshake: %v", err)
	}
}

func TestFailingListener(t *testing.T) {
	broken := errors.New("broken")
	_, ended := serve(t, nil, func(ln net.Listener) net.Listener { return failing{ln, broken} })
	if err := <-ended; err != broken {
		t.Errorf("Serve: %v, want what Accept said", err)
	}
}

type failing struct {
	net.Listener
	err error
}

func (f failing) Accept() (net.Conn, error) { return nil, f.err }

func TestFilesAndLateBodies(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(strings.Repeat("file ", 100000)), 0o666); err != nil {
		t.Fatal(err)
	}
	addr, _ := serve(t, func(srv *http.Server) {
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				http.ServeFile(w, r, name)
				return
			}
			w.Header().Set("Connection", "close") // the body is not read
			io.WriteString(w, "too big")
		})
	}, nil)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	wantAnswers(t, in, strings.Repeat("file ", 100000))
	go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 300000))
	wantAnswers(t, in, "too big")
}

// Round trips of a small POST over loopback: what the listener costs.
func BenchmarkRoundTrip(b *testing.B) {
	secure, client := overTLS(b)
	for _, way := range []string{"plain", "Listen", "TLS plain", "TLS Listen"} {
		b.Run(way, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			addr := ln.Addr().String()
			if strings.HasPrefix(way, "TLS") {
				ln = secure(ln)
			}
			srv := &http.Server{Handler: http.HandlerFunc(handler), ConnContext: pipelined.ConnContext}
			if strings.HasSuffix(way, "Listen") {
				ln = pipelined.Listen(ln)
			}
			go srv.Serve(ln)
			defer srv.Close()
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			if strings.HasPrefix(way, "TLS") {
				c = tls.Client(c, client)
			}
			request := []byte(strings.Replace(post("/x"), "Host", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"+
				"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nContent-Type: text/xml; charset=utf-8\r\n"+
				"Origin: https://chat.example\r\nConnection: keep-alive\r\nReferer: https://chat.example/\r\nHost", 1))
			answer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(request)
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
