package websocket_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/memnet"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// What both sides say all the time.
const (
	clientOpen  = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="im.example" version="1.0"/>`
	serverOpen  = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="im.example" id="1" version="1.0"/>`
	closeStream = `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />` // RFC 7395 §3.6, byte by byte
)

// xmppServer serves XMPP over WebSocket on a network in memory, with backends
// that do what the test says.
type xmppServer struct {
	t       *testing.T
	manager *transport.Manager
	network *memnet.Listener
	backend chan *xmppBackend // as they are opened
	writes  atomic.Int64      // of the server, to all clients
}

func startXMPP(t *testing.T, o *websocket.Options) *xmppServer {
	t.Helper()
	s := &xmppServer{t: t, network: memnet.Listen(), backend: make(chan *xmppBackend, 10)}
	s.manager = transport.NewManager(&transport.Options{Backend: transport.Mux{
		"im.example": transport.Serve(s.serve),
		"gone.example": transport.BackendFunc(func(context.Context, *transport.Stream) (transport.Receiver, error) {
			return nil, &transport.Termination{Condition: transport.Unreachable}
		}),
	}})
	mux := http.NewServeMux()
	mux.Handle("/ws", websocket.NewHandler(s.manager, o))
	web := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(counting{s.network, &s.writes})
	}()
	t.Cleanup(func() {
		if err := s.manager.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		_ = web.Close()
		<-done
		time.Sleep(time.Minute) // in the bubble: whatever waits for the client gives up
	})
	return s
}

// counting counts the writes to connections.
type counting struct {
	net.Listener
	writes *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l.writes}, err
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// xmppBackend is the XMPP server's end of a stream.
type xmppBackend struct {
	t *testing.T
	*transport.Stream
	got chan string // frames
	end chan error  // why it ended
}

func (s *xmppServer) serve(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
	b := &xmppBackend{t: s.t, Stream: st, got: make(chan string, 100), end: make(chan error, 1)}
	s.backend <- b
	for frame := range in {
		b.got <- string(frame)
	}
	<-ctx.Done()
	b.end <- st.Session().Err()
	return nil
}

// wantFrame compares the next frame that the backend got.
func (b *xmppBackend) wantFrame(rule, want string) {
	b.t.Helper()
	synctest.Wait()
	select {
	case got := <-b.got:
		if got != want {
			b.t.Errorf("%s: the backend got %q, want %q", rule, got, want)
		}
	default:
		b.t.Errorf("%s: the backend got nothing, want %q", rule, want)
	}
}

// wantEnd compares why the stream ended; frames before that are skipped.
func (b *xmppBackend) wantEnd(rule string, want transport.Condition) *transport.Termination {
	b.t.Helper()
	t, _ := (<-b.end).(*transport.Termination)
	if t == nil || t.Condition != want {
		b.t.Errorf("%s: ended with %v, want %s", rule, t, want)
		return &transport.Termination{}
	}
	return t
}

func (b *xmppBackend) say(frame string) {
	b.t.Helper()
	if err := b.TrySend([]byte(frame)); err != nil {
		b.t.Error(err)
	}
}

// xmppClient is a WebSocket of the test.
type xmppClient struct {
	t *testing.T
	*gorilla.Conn
}

func (s *xmppServer) dialWith(h http.Header, protocols ...string) (*gorilla.Conn, *http.Response, error) {
	d := gorilla.Dialer{
		NetDialContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return s.network.Dial(ctx) },
		Subprotocols:      protocols,
		EnableCompression: true,
	}
	return d.Dial("ws://im.test/ws", h)
}

func (s *xmppServer) dial() *xmppClient {
	s.t.Helper()
	ws, resp, err := s.dialWith(http.Header{}, "xmpp")
	if err != nil {
		s.t.Fatalf("%v: %v", err, resp)
	}
	s.t.Cleanup(func() { ws.Close() })
	return &xmppClient{s.t, ws}
}

// open begins a stream.
func (s *xmppServer) open() (*xmppClient, *xmppBackend) {
	s.t.Helper()
	c := s.dial()
	c.say(clientOpen)
	b := <-s.backend
	b.wantFrame("the beginning", clientOpen)
	b.say(serverOpen)
	c.want("the answer", serverOpen)
	return c, b
}

// xmppOptions are those of most tests.
func xmppOptions() *websocket.Options {
	return &websocket.Options{XMPP: true, NoPush: true, Push: &push.Options{MaxBody: 4096}}
}

func (c *xmppClient) say(message string) {
	c.t.Helper()
	if err := c.WriteMessage(gorilla.TextMessage, []byte(message)); err != nil {
		c.t.Error(err)
	}
}

// sayAside says something that the server may not read to its end before it
// is listened to.
func (c *xmppClient) sayAside(message string) (said <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.say(message)
	}()
	return done
}

// want compares the next message.
func (c *xmppClient) want(rule, want string) {
	c.t.Helper()
	if _, got, err := c.ReadMessage(); err != nil || string(got) != want {
		c.t.Errorf("%s: got %q, %v; want %q", rule, got, err, want)
	}
}

// wantOpen wants an <open/> that the carrier made.
func (c *xmppClient) wantOpen(rule, from string) {
	c.t.Helper()
	_, got, err := c.ReadMessage()
	const start = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0" xml:lang="en" id="`
	if err != nil || !strings.HasPrefix(string(got), start) || from != "" && !strings.Contains(string(got), ` from="`+from+`"`) {
		c.t.Errorf("%s: got %q, %v; want an <open/>", rule, got, err)
	}
}

// wantError wants a stream error, whatever its text.
func (c *xmppClient) wantError(rule, condition string) {
	c.t.Helper()
	_, got, err := c.ReadMessage()
	start := `<stream:error xmlns:stream="http://etherx.jabber.org/streams"><` + condition +
		` xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>`
	if err != nil || !strings.HasPrefix(string(got), start) || !strings.HasSuffix(string(got), `</stream:error>`) {
		c.t.Errorf("%s: got %q, %v; want %s", rule, got, err, condition)
	}
}

// wantCode wants the WebSocket's close frame and nothing before it.
func (c *xmppClient) wantCode(rule string, want int) {
	c.t.Helper()
	_, got, err := c.ReadMessage()
	if !gorilla.IsCloseError(err, want) {
		c.t.Errorf("%s: got %q, %v; want close code %d", rule, got, err, want)
	}
}
