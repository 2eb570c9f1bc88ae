package bosh_test

import (
	"context"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/memnet"
	"github.com/mochibosh/mochibosh/transport"
)

// TestMain fails when goroutines outlive the tests.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // the fuzzer has goroutines of its own
	}
	for range 100 {
		if runtime.NumGoroutine() <= before || code != 0 {
			os.Exit(code)
		}
		<-time.After(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	fmt.Fprintf(os.Stderr, "goroutines leaked:\n%s\n", buf[:runtime.Stack(buf, true)])
	os.Exit(1)
}

// bubble is a test whose time is its own.
func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		synctest.Test(t, f)
	}
}

// world is a server on a network of its own, and the backend behind it.
type world struct {
	t         *testing.T
	start     time.Time
	net       *memnet.Listener
	transport *http.Transport
	manager   *transport.Manager
	backend   *backend
	logs      *logs
}

type settings struct {
	bosh    bosh.Options
	manager transport.Options
	wrap    func(http.Handler) http.Handler
	greet   func(*transport.Stream) error // the backend's Open
	http2   bool
	plain   bool // net/http as it is, without Listen
	streams bool // several to a session
}

func newWorld(t *testing.T, set settings) *world {
	t.Helper()
	w := &world{t: t, start: time.Now(), net: memnet.Listen(), backend: &backend{greet: set.greet}, logs: &logs{}}
	w.transport = w.net.Transport()
	if set.manager.Backend == nil {
		set.manager.Backend = transport.Mux{"be.test": w.backend}
	}
	if set.bosh.Polling == 0 {
		set.bosh.Polling = -1 // else most tests would poll too often
	}
	set.bosh.NoStreams = !set.streams
	logger := slog.New(slog.NewTextHandler(w.logs, nil))
	set.manager.Logger, set.bosh.Logger = logger, logger
	w.manager = transport.NewManager(&set.manager)
	var h http.Handler = bosh.NewHandler(w.manager, &set.bosh)
	if set.wrap != nil {
		h = set.wrap(h)
	}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	if set.http2 {
		w.transport.Protocols, srv.Protocols = new(http.Protocols), new(http.Protocols)
		w.transport.Protocols.SetUnencryptedHTTP2(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	if set.plain {
		go srv.Serve(w.net)
	} else {
		srv.ConnContext = bosh.ConnContext
		go srv.Serve(bosh.Listen(w.net))
	}
	t.Cleanup(func() {
		w.manager.Shutdown(context.Background())
		w.transport.CloseIdleConnections()
		srv.Close()
		time.Sleep(time.Second) // net/http lingers on connections that it closes
	})
	return w
}

// ---- requests and answers

const ns = "http://jabber.org/protocol/httpbind"

func body(attrs, payload string) string {
	return "<body xmlns='" + ns + "' " + attrs + ">" + payload + "</body>"
}

// An answer is what a client sees.
type answer struct {
	status   int
	header   http.Header
	length   int64
	chunked  bool
	closed   bool // the connection, after this answer
	xml      string
	attrs    map[string]string
	payloads []string
	err      error
	after    time.Duration // since the world began
}

// condition returns how the answer ends the session; "" if it does not.
func (a *answer) condition() string {
	switch {
	case a.attrs["type"] != "terminate":
		return ""
	case a.attrs["condition"] == "":
		return "end"
	}
	return a.attrs["condition"]
}

// request makes a POST that tests can change before it goes.
func (w *world) request(ctx context.Context, xml string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://bosh.test/http-bind", strings.NewReader(xml))
	if err != nil {
		w.t.Error(err)
	}
	return r
}

func (w *world) do(r *http.Request) *answer {
	resp, err := w.transport.RoundTrip(r)
	if err != nil {
		return &answer{err: err, after: time.Since(w.start)}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	a := &answer{
		status: resp.StatusCode, header: resp.Header, length: resp.ContentLength, xml: string(data),
		chunked: len(resp.TransferEncoding) > 0, closed: resp.Close, err: err, after: time.Since(w.start),
	}
	if err == nil && len(data) > 0 && data[0] == '<' {
		a.attrs, a.payloads = w.parse(data)
	}
	return a
}

// parse takes an answer apart, by other code than that under test.
func (w *world) parse(data []byte) (attrs map[string]string, payloads []string) {
	d := xml.NewDecoder(strings.NewReader(string(data)))
	attrs = make(map[string]string)
	depth := 0
	var from int64
	for {
		at := d.InputOffset()
		tok, err := d.Token()
		if err == io.EOF {
			return attrs, payloads
		}
		if err != nil {
			w.t.Errorf("answer %q: %v", data, err)
			return attrs, payloads
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch depth++; depth {
			case 1:
				if tok.Name.Space != ns || tok.Name.Local != "body" {
					w.t.Errorf("answer %q is no <body/>", data)
				}
				for _, a := range tok.Attr {
					attrs[a.Name.Local] = a.Value
				}
			case 2:
				from = at
				// XEP-0124 §22: an <uri/>, or elements of other namespaces
				if uri := tok.Name.Local == "uri" && attrs["condition"] == "see-other-uri"; tok.Name.Space == "" || (tok.Name.Space == ns) != uri {
					w.t.Errorf("answer %q: its payload is of the wrapper's namespace, or of none", data)
				}
			}
		case xml.EndElement:
			if depth--; depth == 1 {
				payloads = append(payloads, string(data[from:d.InputOffset()]))
			}
		case xml.CharData:
			if depth == 1 {
				w.t.Errorf("answer %q has text in the wrapper", data)
			}
		}
	}
}

func (w *world) post(xml string) *answer { return w.do(w.request(w.t.Context(), xml)) }

// A call is a request that may be held.
type call struct {
	done   chan *answer
	cancel context.CancelFunc
	got    *answer
}

func (w *world) begin(xml string) *call {
	ctx, cancel := context.WithCancel(w.t.Context())
	c := &call{done: make(chan *answer, 1), cancel: cancel}
	r := w.request(ctx, xml)
	go func() { c.done <- w.do(r) }()
	synctest.Wait()
	return c
}

// held reports whether the call is not answered yet.
func (c *call) held() bool {
	synctest.Wait()
	if c.got == nil {
		select {
		case c.got = <-c.done:
		default:
		}
	}
	return c.got == nil
}

// answer waits for it.
func (c *call) answer() *answer {
	if c.got == nil {
		c.got = <-c.done
	}
	return c.got
}

// ---- a session

const first = 4242

type client struct {
	*world
	sid     string
	created *answer
}

// create makes a session with hold 1 and two requests, unless told otherwise.
func (w *world) create(attrs string) *client {
	w.t.Helper()
	if attrs == "" {
		attrs = "wait='60' hold='1'"
	}
	if !strings.Contains(attrs, "to='") {
		attrs = "to='be.test' " + attrs
	}
	a := w.post(body(fmt.Sprintf("rid='%d' ver='1.6' %s", first, attrs), ""))
	if a.err != nil || a.attrs["sid"] == "" {
		w.t.Fatalf("no session: %+v", a)
	}
	return &client{world: w, sid: a.attrs["sid"], created: a}
}

// at writes the request that comes n after the creation.
func (c *client) at(n int, attrs, payload string) string {
	return body(fmt.Sprintf("sid='%s' rid='%d' %s", c.sid, first+n, attrs), payload)
}

// payload is the n-th of a series.
func payload(n int) string { return fmt.Sprintf("<n xmlns='urn:test' n='%d'></n>", n) }

func (w *world) wantHeld(what string, c *call) {
	w.t.Helper()
	if !c.held() {
		w.t.Errorf("%s: answered with %q, %v; want it held", what, c.got.xml, c.got.err)
	}
}

func (w *world) wantXML(what string, a *answer, xml string) {
	w.t.Helper()
	if a.err != nil || a.status != 200 || a.xml != xml {
		w.t.Errorf("%s:\n got %d %q %v\nwant %q", what, a.status, a.xml, a.err, xml)
	}
}

func (w *world) wantEnd(what string, a *answer, condition string) {
	w.t.Helper()
	if a.err != nil || a.status != 200 || a.condition() != condition {
		w.t.Errorf("%s: got %d %q %v, want condition %q", what, a.status, a.xml, a.err, condition)
	}
}

func (w *world) wantAfter(what string, a *answer, d time.Duration) {
	w.t.Helper()
	if a.after != d {
		w.t.Errorf("%s: after %v, want %v", what, a.after, d)
	}
}

// empty is the answer that says nothing.
const empty = "<body xmlns='" + ns + "'/>"

// terminal is the answer that ends a session.
func terminal(condition string) string {
	return "<body xmlns='" + ns + "' type='terminate' condition='" + condition + "'/>"
}
