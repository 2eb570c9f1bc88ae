//go:build linux

package httpd_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/park"
)

func TestLimits(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	for _, test := range []struct {
		name   string
		server *httpd.Server
		ask    string
		answer string // part of it
	}{
		{"a header that never ends", &httpd.Server{Options: httpd.Options{HeaderTimeout: 30 * time.Millisecond}}, "GET / HTTP/1.1\r\nHost: a\r\nX", ""},
		{"a connection that never begins", &httpd.Server{Options: httpd.Options{IdleTimeout: 50 * time.Millisecond}}, "", ""},
		{"a connection that does not go on", &httpd.Server{Options: httpd.Options{IdleTimeout: 50 * time.Millisecond}}, get("/"), "hello"},
		{"a header that is too large", &httpd.Server{Options: httpd.Options{MaxHeader: 100}}, get("/", "X-A: "+strings.Repeat("x", 100)), "431 "},
		{"a header of too many lines", &httpd.Server{Options: httpd.Options{MaxFields: 3}}, get("/", "X-A: 1", "X-A: 2", "X-A: 3"), "431 "},
		{"a header of just as many", &httpd.Server{Options: httpd.Options{MaxFields: 3}}, get("/", "X-A: 1", "Connection: close"), "hello"},
		{"a header that just fits", &httpd.Server{Options: httpd.Options{MaxHeader: len(get("/", "Connection: close"))}}, get("/", "Connection: close"), "hello"},
		{"a body that the handler leaves, and never comes", &httpd.Server{Options: httpd.Options{HeaderTimeout: 30 * time.Millisecond}}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "Connection: close"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.server
			s.Handler = hello
			l := open(t, s).dial(t)
			l.send(test.ask)
			got, err := io.ReadAll(l)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Error(err)
			}
			if !strings.Contains(string(got), test.answer) || test.answer == "" && len(got) > 0 {
				t.Errorf("got %q, want %q", got, test.answer)
			}
		})
	}
	t.Run("a body that is refused is not waited for", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{HeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			io.WriteString(w, "too much")
		})}})
		l := d.dial(t)
		l.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
		l.wantAnswer("too much")
	})
	t.Run("connections", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{Handler: hello, MaxConns: 2}})
		for range 2 {
			l := d.dial(t)
			l.send(get("/"))
			l.wantAnswer("hello")
			defer l.Close()
		}
		d.dial(t).wantEnd()
	})
	t.Run("a client that does not read what a handler writes", func(t *testing.T) {
		failed := make(chan error, 1)
		d := open(t, &httpd.Server{Options: httpd.Options{WriteTimeout: 30 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 100_000)); err != nil {
					failed <- err
					return
				}
			}
		})}})
		d.dial(t).send(get("/"))
		if err := <-failed; !isTimeout(err) {
			t.Errorf("failed with %v", err)
		}
	})
	t.Run("deadlines of a handler", func(t *testing.T) {
		failed := make(chan error, 2)
		d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, err := io.ReadAll(r.Body)
			failed <- err
			rc.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			for err = nil; err == nil; {
				_, err = io.WriteString(w, strings.Repeat("x", 100_000))
			}
			failed <- err
		})}})
		d.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
		for range 2 {
			if err := <-failed; !isTimeout(err) {
				t.Errorf("failed with %v", err)
			}
		}
	})
}

func TestShutdown(t *testing.T) {
	d := open(t, &httpd.Server{})
	idle, busy := d.dial(t), d.dial(t)
	idle.send(get("/"))
	(<-d.held).answer("hello")
	idle.wantAnswer("hello")
	busy.send(get("/"))
	h := <-d.held
	down := make(chan error)
	go func() { down <- d.Shutdown(t.Context()) }()
	idle.wantEnd()
	if _, err := net.Dial("tcp", d.addr); err == nil {
		for { // the listener closes at about the same time
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				break
			}
			c.Close()
		}
	}
	select {
	case <-down:
		t.Fatal("it did not wait for the answer")
	default:
	}
	h.answer("last")
	busy.wantAnswer("last")
	busy.wantEnd()
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := d.Serve(nilListener{}); err != http.ErrServerClosed {
		t.Errorf("Serve afterwards: %v", err)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Shutdown(late); err != nil {
		t.Errorf("nothing is left to wait for: %v", err)
	}
}

type nilListener struct{ net.Listener }

func (nilListener) Close() error { return nil }

func TestClose(t *testing.T) {
	d := open(t, &httpd.Server{})
	l := d.dial(t)
	l.send(get("/"))
	h := <-d.held
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	h.wantTold(t, "gone")
	l.wantEnd()
}

func TestHijack(t *testing.T) {
	conns := make(chan park.Conn, 1)
	d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(w, "not from here")
		if line, err := rw.ReadString('\n'); line != "first\n" {
			t.Errorf("read %q, %v", line, err)
		}
		conns <- c.(park.Conn)
	})}})
	l := d.dial(t)
	l.send(get("/") + "first\n")
	c := <-conns
	if c.RemoteAddr().String() != l.LocalAddr().String() || c.LocalAddr().String() != l.RemoteAddr().String() {
		t.Errorf("from %v to %v", c.RemoteAddr(), c.LocalAddr())
	}
	buf := make([]byte, 100)
	readable := make(chan bool, 1)
	tell := func() { readable <- true }
	read := func(want string) {
		t.Helper()
		<-readable
		n, err := c.Read(buf)
		for err == park.ErrNothing { // it was news of before
			c.OnReadable(tell)
			<-readable
			n, err = c.Read(buf)
		}
		if string(buf[:n]) != want {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	}

	c.OnReadable(tell)
	select {
	case <-readable:
		t.Error("nothing was there")
	case <-time.After(10 * time.Millisecond):
	}
	l.send("one")
	read("one")
	l.send("two")
	c.OnReadable(tell)
	read("two")

	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(buf); !isTimeout(err) {
		t.Errorf("read with a deadline: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	set := make(chan bool)
	go func() {
		time.Sleep(5 * time.Millisecond)
		c.SetDeadline(time.Now())
		close(set)
	}()
	if _, err := c.Read(buf); !isTimeout(err) {
		t.Errorf("read while a deadline is set: %v", err)
	}
	<-set
	c.SetDeadline(time.Time{})

	big := strings.Repeat("0123456789", 1_000_000)
	go io.WriteString(c, big)
	if got, err := io.ReadAll(io.LimitReader(l, int64(len(big)))); string(got) != big {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	d.Close() // is not for those that were taken
	c.OnReadable(tell)
	l.send("three")
	read("three")
	c.OnReadable(tell)
	l.Close()
	<-readable
	if _, err := c.Read(buf); err != io.EOF {
		t.Errorf("read at the end: %v", err)
	}
	c.OnReadable(tell)
	<-readable
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c.OnReadable(tell)
	<-readable
	if _, err := c.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after closing: %v", err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// What is not HTTP/1.x on a plain socket is net/http's.
func TestOther(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, parks := w.(park.Writer)
		fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ", parks)
	})
	other := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	other.Protocols.SetHTTP1(true)
	other.Protocols.SetHTTP2(true)
	other.Protocols.SetUnencryptedHTTP2(true)
	d := open(t, &httpd.Server{Options: httpd.Options{Handler: h, Other: other}})

	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	defer certified.Close()
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(secure) }()

	path := filepath.Join(t.TempDir(), "socket")
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { served <- d.Serve(local) }()
	defer func() {
		d.Close()
		for range 2 {
			if err := <-served; err != http.ErrServerClosed {
				t.Error(err)
			}
		}
	}()

	for _, test := range []struct {
		name, url string
		set       func(*http.Transport)
		want      string
	}{
		{"HTTP/1.1", "http://" + d.addr, nil, "HTTP/1.1 false true"},
		{"HTTP/2 with prior knowledge", "http://" + d.addr, func(tr *http.Transport) { tr.Protocols.SetUnencryptedHTTP2(true); tr.Protocols.SetHTTP1(false) }, "HTTP/2.0 false false"},
		{"HTTP/1.1 over TLS", "https://" + secure.Addr().String(), nil, "HTTP/1.1 true false"},
		{"HTTP/2 over TLS", "https://" + secure.Addr().String(), func(tr *http.Transport) { tr.Protocols.SetHTTP2(true) }, "HTTP/2.0 true false"},
		{"HTTP/1.1 over a Unix socket", "http://local", func(tr *http.Transport) {
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }
		}, "HTTP/1.1 false true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: certified.Client().Transport.(*http.Transport).TLSClientConfig}
			tr.Protocols.SetHTTP1(true)
			if test.set != nil {
				test.set(tr)
			}
			defer tr.CloseIdleConnections()
			for range 2 {
				resp, err := (&http.Client{Transport: tr}).Get(test.url)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(resp.Body); string(got) != test.want {
					t.Errorf("got %q, %v, want %q", got, err, test.want)
				}
				resp.Body.Close()
			}
		})
	}
	t.Run("HTTP/2 when there is no other server", func(t *testing.T) {
		l := open(t, &httpd.Server{}).dial(t)
		l.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(l), nil)
		if err != nil || resp.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Error(resp, err)
		}
	})
}

func TestListenerClosedByOthers(t *testing.T) {
	s := &httpd.Server{Options: httpd.Options{Handler: http.NotFoundHandler()}}
	defer s.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	ln.Close()
	if err := <-served; err == nil || err == http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}

func TestUnblock(t *testing.T) {
	conns := make(chan park.Conn, 1)
	d := open(t, &httpd.Server{Options: httpd.Options{WriteTimeout: 2 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c.(park.Conn)
	})}})
	piece := strings.Repeat("0123456789", 100_000)
	fill := func(t *testing.T) (l *line, c park.Conn, all string, drained chan bool) {
		l = d.dial(t)
		l.send(get("/"))
		c = <-conns
		drained = make(chan bool, 1)
		c.Unblock(func() { drained <- true })
		for c.Drained() {
			if n, err := io.WriteString(c, piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
			all += piece
		}
		return l, c, all, drained
	}
	t.Run("it is told when all was taken", func(t *testing.T) {
		l, c, all, drained := fill(t)
		if got, err := io.ReadAll(io.LimitReader(l, int64(len(all)))); string(got) != all {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		if <-drained; !c.Drained() {
			t.Error("not drained")
		}
		c.Close()
		l.wantEnd()
	})
	t.Run("closing waits for the rest", func(t *testing.T) {
		l, c, all, _ := fill(t)
		readable := make(chan bool, 1)
		c.OnReadable(func() { readable <- true })
		c.Close()
		<-readable
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after closing: %v", err)
		}
		if _, err := c.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("written after closing: %v", err)
		}
		if got, err := io.ReadAll(l); string(got) != all {
			t.Errorf("got %d bytes of %d, %v", len(got), len(all), err)
		}
	})
	t.Run("a client that does not read is cut off", func(t *testing.T) {
		_, c, _, _ := fill(t)
		closed := make(chan bool)
		c.OnReadable(func() { close(closed) })
		<-closed
		if _, err := c.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("written to a client that is gone: %v", err)
		}
	})
}

// The addresses of requests are those that net/http gives.
func TestAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(address, func(t *testing.T) {
			got := make(chan string, 1)
			s := &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got <- r.RemoteAddr + " " + r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
			})}}
			defer s.Close()
			ln, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			go s.Serve(ln)
			to := strings.Replace(ln.Addr().String(), "[::]", "127.0.0.1", 1)
			c, err := net.Dial("tcp", to)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, get("/"))
			if got, want := <-got, c.LocalAddr().String()+" "+to; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
