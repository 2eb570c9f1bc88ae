// Package pushtest runs all carriers of push.v1 on a network in memory, for
// tests in testing/synctest bubbles, and speaks the protocol by hand: requests
// and sockets are written out, so that a test shows what is on the wire.
package pushtest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/memnet"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// Server serves /push, /push/sse and /push/ws.
type Server struct {
	t       testing.TB
	Manager *transport.Manager
	Client  *http.Client
	network *memnet.Listener
}

// Options of a [Server]; zero fields are the defaults.
type Options struct {
	Backend transport.Backend // default: Echo
	Limits  transport.Params
	Max     int // sessions
	Push    push.Options
	// Compression is that of WebSockets.
	Compression bool
}

// Start starts a server that stops with the test. In a bubble, everything
// that it started has ended when the test has.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Backend == nil {
		o.Backend = Echo
	}
	m := transport.NewManager(&transport.Options{Backend: o.Backend, Limits: o.Limits, MaxSessions: o.Max})
	r := mux.NewRouter()
	r.Handle("/push", longpoll.NewHandler(m, &o.Push))
	r.Handle("/push/sse", sse.NewHandler(m, &o.Push))
	r.Handle("/push/ws", websocket.NewHandler(m, &websocket.Options{Push: &o.Push, Compression: o.Compression}))

	network := memnet.Listen()
	web := &http.Server{Handler: r}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(network)
	}()
	client := &http.Client{Transport: network.Transport()}
	t.Cleanup(func() {
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
		_ = web.Close()
		<-done
		time.Sleep(time.Second) // in the bubble: net/http lingers on connections it closes
	})
	return &Server{t: t, Manager: m, Client: client, network: network}
}

// Echo is a backend that sends every message back.
var Echo = transport.BackendFunc(func(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	return echo{st}, nil
})

type echo struct{ st *transport.Stream }

func (e echo) Receive(p []byte) error { return e.st.Send(context.Background(), p) }
func (e echo) Close(error)            {}

// Object is an object of push.v1 as a test reads it.
type Object struct {
	Session, Key, Ticket string
	Wait, Ping           int
	Limits               map[string]int
	Ack, First           uint64
	Messages             []json.RawMessage
	Replaced             bool
	End, Error           *struct {
		Code, Message string
		Retry         bool
	}
}

// Strings returns the messages as they stand on the wire.
func (o Object) Strings() []string {
	var all []string
	for _, m := range o.Messages {
		all = append(all, string(m))
	}
	return all
}

// Post posts a body and returns the answer.
func (s *Server) Post(path, body string) (int, Object) {
	s.t.Helper()
	resp, o := s.Do(s.Request("POST", path, body))
	return resp.StatusCode, o
}

// Request makes a request, for tests that want more than Post.
func (s *Server) Request(method, path, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, "http://push.test"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// Do sends a request and reads the answer, which must be an object or empty.
func (s *Server) Do(r *http.Request) (*http.Response, Object) {
	s.t.Helper()
	resp, err := s.Client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, s.parse(body)
}

func (s *Server) parse(data []byte) (o Object) {
	s.t.Helper()
	if len(data) > 0 {
		if err := json.Unmarshal(data, &o); err != nil {
			s.t.Fatalf("%v in %q", err, data)
		}
	}
	return o
}

// Dial connects without a word, for tests that write requests by hand.
func (s *Server) Dial() net.Conn {
	s.t.Helper()
	c, err := s.network.Dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// WebSocket dials /push/ws.
func (s *Server) WebSocket() *Socket {
	s.t.Helper()
	ws, resp, err := s.DialWebSocket(http.Header{}, push.Protocol)
	if err != nil {
		s.t.Fatalf("%v: %v", err, resp)
	}
	s.t.Cleanup(func() { ws.Close() })
	return &Socket{server: s, Conn: ws}
}

// DialWebSocket dials with a header and subprotocols of the test's choice.
func (s *Server) DialWebSocket(h http.Header, protocols ...string) (*gorilla.Conn, *http.Response, error) {
	d := gorilla.Dialer{
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.network.Dial(ctx) },
		Subprotocols:   protocols,
	}
	return d.Dial("ws://push.test/push/ws", h)
}
