package bosh_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
)

// These tests have a server of net/http on a socket, with and without Listen.

// echo sends back what it gets. Only of what is quiet it tells the test.
type echo struct {
	streams chan *transport.Stream
	quiet   chan bool
}

const quiet = "<quiet xmlns='urn:test'/>"

func (e *echo) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	e.streams <- st
	return echoReceiver{st, e}, nil
}

type echoReceiver struct {
	stream *transport.Stream
	*echo
}

func (r echoReceiver) Receive(p []byte) error {
	if string(p) == quiet {
		r.quiet <- true
		return nil
	}
	return r.stream.TrySend(p)
}

func (r echoReceiver) Close(error) {}

// A realServer serves HTTP/1.0, HTTP/1.1, and HTTP/2 in both ways.
type realServer struct {
	echo
	plain    string // address
	secure   string
	client   *tls.Config
	finished chan string // tells of each request that the handler is done with it
}

// A finishing writer is a park.Observer.
type finishing struct {
	http.ResponseWriter
	server *realServer
	proto  string
}

func (w finishing) Over() { w.server.finished <- w.proto }

// The kinds of server: net/http, with Listen or without, and httpd, which has
// net/http for TLS and HTTP/2.
var kinds = []string{"net/http", "Listen", "httpd"}

func startServer(t testing.TB, kind string) *realServer {
	s := &realServer{echo: echo{make(chan *transport.Stream, 10), make(chan bool, 10)}, finished: make(chan string, 100)}
	m := transport.NewManager(&transport.Options{Backend: &s.echo})
	h := bosh.NewHandler(m, &bosh.Options{Polling: -1})
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	s.client = certified.Client().Transport.(*http.Transport).TLSClientConfig
	s.client.ServerName = "example.com"

	srv := &http.Server{
		ConnContext: bosh.ConnContext, Protocols: new(http.Protocols), MaxHeaderBytes: 10000, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			proto := r.Proto
			park.Observe(w, finishing{w, s, proto}, h, r)
		}),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	own := &httpd.Server{Options: httpd.Options{Handler: srv.Handler, Other: srv, MaxHeader: srv.MaxHeaderBytes, HeaderTimeout: srv.ReadHeaderTimeout}}
	for _, secure := range []bool{false, true} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if secure {
			s.secure = ln.Addr().String()
			ln = tls.NewListener(ln, &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
		} else {
			s.plain = ln.Addr().String()
		}
		switch kind {
		case "httpd":
			go own.Serve(ln)
			continue
		case "Listen":
			ln = bosh.Listen(ln)
		}
		go srv.Serve(ln)
	}
	t.Cleanup(func() {
		m.Shutdown(context.Background())
		own.Close()
		srv.Close()
	})
	return s
}

// A way is how a client talks to the server. It posts a body, and returns the
// answer as it came, without decoding.
type way struct {
	name  string
	proto string
	post  func(t *testing.T, s *realServer) func(ctx context.Context, xml string) (*http.Response, error)
}

// over is a way by http.Transport.
func over(name, proto string, set func(*http.Transport), change func(*http.Request)) way {
	return way{name, proto, func(t *testing.T, s *realServer) func(context.Context, string) (*http.Response, error) {
		tr := &http.Transport{DisableCompression: true, TLSClientConfig: s.client.Clone(), Protocols: new(http.Protocols), ExpectContinueTimeout: time.Hour}
		tr.Protocols.SetHTTP1(true)
		if set != nil {
			set(tr)
		}
		t.Cleanup(tr.CloseIdleConnections)
		url := "http://" + s.plain
		if strings.HasPrefix(name, "TLS") {
			url = "https://" + s.secure
		}
		return func(ctx context.Context, xml string) (*http.Response, error) {
			r, err := http.NewRequestWithContext(ctx, "POST", url+"/http-bind/", strings.NewReader(xml))
			if err != nil {
				return nil, err
			}
			if change != nil {
				change(r)
			}
			return tr.RoundTrip(r)
		}
	}}
}

// raw is a way by hand, each request on a connection of its own or all on one.
func raw(name, proto string, once bool, head string) way {
	return way{name, proto, func(t *testing.T, s *realServer) func(context.Context, string) (*http.Response, error) {
		var c net.Conn
		var in *bufio.Reader
		return func(_ context.Context, xml string) (*http.Response, error) {
			if c == nil || once {
				var err error
				if c, err = net.Dial("tcp", s.plain); err != nil {
					return nil, err
				}
				t.Cleanup(func() { c.Close() })
				in = bufio.NewReader(c)
			}
			fmt.Fprintf(c, "POST / %sContent-Length: %d\r\n\r\n%s", head, len(xml), xml)
			return http.ReadResponse(in, nil)
		}
	}}
}

func onlyHTTP2(tr *http.Transport) { tr.Protocols = new(http.Protocols); tr.Protocols.SetHTTP2(true) }
func onlyH2C(tr *http.Transport) {
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetUnencryptedHTTP2(true)
}

var ways = []way{
	raw("B-02.2 HTTP/1.0, a connection each", "HTTP/1.0", true, "HTTP/1.0\r\n"),
	raw("H-07 B-02.2 HTTP/1.0, kept alive", "HTTP/1.0", false, "HTTP/1.0\r\nConnection: Keep-Alive\r\n"),
	raw("H-08 HTTP/1.0 with Expect, which is ignored", "HTTP/1.0", true, "HTTP/1.0\r\nExpect: 100-continue\r\n"),
	raw("B-05.3 H-07 HTTP/1.1, no header but what it takes", "HTTP/1.1", false, "HTTP/1.1\r\nHost: a\r\n"),
	over("H-07 HTTP/1.1, a connection each", "HTTP/1.1", func(tr *http.Transport) { tr.DisableKeepAlives = true }, nil),
	over("H-05 chunks", "HTTP/1.1", nil, func(r *http.Request) { r.ContentLength = -1 }),
	over("H-08 Expect: 100-continue", "HTTP/1.1", nil, func(r *http.Request) { r.Header.Set("Expect", "100-continue") }),
	over("B-05.7 H-20 gzip", "HTTP/1.1", nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }),
	over("TLS, HTTP/1.1", "HTTP/1.1", nil, nil),
	over("TLS, H-19 HTTP/2", "HTTP/2.0", onlyHTTP2, nil),
	over("H-19 HTTP/2 without TLS", "HTTP/2.0", onlyH2C, nil),
	over("H-19 HTTP/2 without TLS, gzip", "HTTP/2.0", onlyH2C, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }),
}

var sidOf = regexp.MustCompile(` sid='([^']+)'`)

func TestSessionOnARealServer(t *testing.T) {
	for _, kind := range kinds {
		s := startServer(t, kind)
		for _, way := range ways {
			t.Run(kind+"/"+way.name, func(t *testing.T) {
				post := way.post(t, s)
				ask := func(xml string) string {
					t.Helper()
					resp, err := post(t.Context(), xml)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					got := answerOf(t, resp)
					if proto := (<-s.finished); proto != way.proto {
						t.Fatalf("%s, want %s", proto, way.proto)
					}
					return got
				}
				created := ask(body("rid='1' to='x' ver='1.6' wait='60' hold='1'", ""))
				sid := sidOf.FindStringSubmatch(created)
				if sid == nil {
					t.Fatalf("created %q", created)
				}
				<-s.streams
				big := "<n xmlns='urn:test'>" + strings.Repeat("é<a>&amp;</a>", 1000) + "</n>"
				for n, payload := range []string{payload(1), big, payload(2)} {
					want := "<body xmlns='" + ns + "'>" + payload + "</body>"
					xml := body(fmt.Sprintf("sid='%s' rid='%d'", sid[1], n+2), payload)
					for range 2 { // and its repeat
						if got := ask(xml); got != want {
							t.Fatalf("got %q, want %q", got, want)
						}
					}
				}
				if got := ask(body(fmt.Sprintf("sid='%s' rid='5' type='terminate'", sid[1]), "")); got != "<body xmlns='"+ns+"' type='terminate'/>" {
					t.Errorf("end: %q", got)
				}
			})
		}
	}
}

// answerOf checks what must be right in every answer, and returns its text.
func answerOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(data)) || len(resp.TransferEncoding) > 0 {
		t.Errorf("B-05.6 T-33 H-20 status %d, length %d of %d, coding %v", resp.StatusCode, resp.ContentLength, len(data), resp.TransferEncoding)
	}
	if got := resp.Header["Content-Type"]; len(got) != 1 || got[0] != "text/xml; charset=utf-8" {
		t.Errorf("T-15 type %q", got)
	}
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("H-15 %v", resp.Header)
	}
	if resp.ProtoMajor == 2 && resp.Header.Get("Connection") != "" {
		t.Errorf("H-19 %v", resp.Header)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		in, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	return string(data)
}

// What is sent when the connection of a held request is gone goes to the next
// request, whose connection is there: clients such as Strophe, after a reload of
// their page, do not repeat the one that was held.
func TestConnectionLostWhileHeld(t *testing.T) {
	for _, kind := range kinds {
		s := startServer(t, kind)
		for _, way := range ways {
			if !strings.HasPrefix(way.name, "TLS") && !strings.Contains(way.name, "H-19") && !strings.Contains(way.name, "H-05") {
				continue // by hand, or like another
			}
			t.Run(kind+"/T-36 H-18 "+way.name, func(t *testing.T) {
				post := way.post(t, s)
				resp, err := post(t.Context(), body("rid='1' to='x' ver='1.6' wait='60' hold='1'", ""))
				if err != nil {
					t.Fatal(err)
				}
				sid := sidOf.FindStringSubmatch(answerOf(t, resp))[1]
				<-s.finished
				st := <-s.streams

				ctx, cancel := context.WithCancel(t.Context())
				held := make(chan error, 1)
				go func() {
					_, err := post(ctx, body("sid='"+sid+"' rid='2'", quiet))
					held <- err
				}()
				<-s.quiet
				cancel()
				if err := <-held; !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				<-s.finished
				if err := st.TrySend([]byte(payload(1))); err != nil {
					t.Fatalf("the session is over: %v", err)
				}
				if resp, err = post(t.Context(), body("sid='"+sid+"' rid='3'", "")); err != nil {
					t.Fatal(err)
				}
				if got := answerOf(t, resp); got != "<body xmlns='"+ns+"'>"+payload(1)+"</body>" {
					t.Errorf("got %q", got)
				}
				<-s.finished
			})
		}
	}
}

// A request that is answered at once, over one connection of loopback: what
// Listen costs.
func BenchmarkExchange(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			s := startServer(b, kind)
			c, err := net.Dial("tcp", s.plain)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			answer := make([]byte, 4096)
			ask := func(xml string) string {
				io.WriteString(c, rawPost(xml))
				n, err := c.Read(answer)
				if err != nil {
					b.Fatal(err)
				}
				<-s.finished
				return string(answer[:n])
			}
			sid := sidOf.FindStringSubmatch(ask(body("rid='1' to='x' ver='1.6' wait='0'", "")))[1]
			b.ReportAllocs()
			for n := 2; b.Loop(); n++ {
				ask(body(fmt.Sprintf("sid='%s' rid='%d'", sid, n), ""))
			}
		})
	}
}
