package nodes_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	sockets "github.com/mochibosh/mochibosh/websocket"
)

// A world has several nodes, on a NATS server of its own. They share a store and
// the engine of the bus, as they would on JetStream.
type world struct {
	t      testing.TB
	nats   *server.Server
	engine *bus.Memory
	shelf  *shelf
	url    string         // of NATS, if nodes come to it over loopback
	parks  bool           // the nodes' HTTP servers can hold requests without a goroutine
	other  *server.Server // of NATS, a node of which can be cut off with it; nil: none
}

func newWorld(t testing.TB, parks bool) *world {
	return newWorldOn(t, &server.Options{DontListen: true, NoSigs: true}, parks)
}

func newWorldOn(t testing.TB, o *server.Options, parks bool) *world {
	t.Helper()
	s := startNATS(t, o)
	w := &world{t: t, nats: s, engine: bus.NewMemory(nil), shelf: &shelf{saved: make(map[string]kept)}, parks: parks}
	if !o.DontListen {
		w.url = s.Addr().String()
	}
	return w
}

func startNATS(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// An output takes what a node says while its test runs: sessions may have something
// to say later.
type output struct {
	mu sync.Mutex
	to io.Writer
}

func newOutput(t testing.TB) *output {
	o := &output{to: t.Output()}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.to = io.Discard
	})
	return o
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to.Write(p)
}

// A node is one of them.
type node struct {
	*nodes.Node
	t       testing.TB
	conn    *nats.Conn
	wire    *wire
	manager *transport.Manager
	url     string
	stop    func() // of the HTTP server
}

const beat = 50 * time.Millisecond

// join starts a node.
func (w *world) join(name string) *node { return w.joinWith(name, 0) }

func (w *world) joinWith(name string, maxForwards int) *node {
	w.t.Helper()
	return w.joinBy(name, maxForwards, &wire{server: w.nats, url: w.url})
}

// clustered are the options of a server of NATS that may have others beside it.
func clustered(routes ...*url.URL) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, Routes: routes,
		Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: -1, NoAdvertise: true, PoolSize: -1},
	}
}

// near has another server of NATS beside it, and returns the way between the two.
func (w *world) near(t *testing.T) *road {
	r := newRoad(t, w.nats.ClusterAddr().String())
	to, err := url.Parse("nats://" + r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.other = startNATS(t, clustered(to))
	return r
}

// joinNear starts a node at that server.
func (w *world) joinNear(name string) *node {
	w.t.Helper()
	return w.joinBy(name, 0, &wire{server: w.other})
}

func (w *world) joinBy(name string, maxForwards int, wire *wire) *node {
	t := w.t
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(wire), nats.ReconnectWait(beat), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, conn: conn, wire: wire}
	if n.Node, err = nodes.Join(nodes.Options{Conn: conn, Name: name, Beat: beat, Timeout: 10 * beat, MaxForwards: maxForwards, Logger: slog.New(slog.NewTextHandler(newOutput(t), nil))}); err != nil {
		t.Fatal(err)
	}
	b := bus.New(&bus.Options{Engine: w.engine})
	n.manager = transport.NewManager(&transport.Options{
		Backend: transport.Mux{"": b, "bus": b, "fixed": fixed{}},
		NewID:   n.NewID,
		Store:   n.Store(&far{w.shelf, wire}),
	})
	o := &push.Options{Forward: n.Forward, Ping: time.Second}
	mux := http.NewServeMux()
	mux.Handle("/push", longpoll.NewHandler(n.manager, o))
	mux.Handle("/push/sse", sse.NewHandler(n.manager, o))
	mux.Handle("/push/ws", sockets.NewHandler(n.manager, &sockets.Options{Push: o}))
	mux.Handle("/bosh", bosh.NewHandler(n.manager, &bosh.Options{Forward: n.Forward, Polling: -1, Hold: 1}))
	if err := n.Begin(n.manager, mux); err != nil {
		t.Fatal(err)
	}
	n.serve(mux, w.parks)
	t.Cleanup(n.die)
	return n
}

func (n *node) serve(h http.Handler, parks bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.url = "http://" + l.Addr().String()
	if parks {
		s := &httpd.Server{Options: httpd.Options{Handler: h, Other: &http.Server{Handler: h}}}
		n.stop = func() { s.Close() }
		go s.Serve(l)
		return
	}
	s := &http.Server{Handler: h}
	n.stop = func() { s.Close() }
	go s.Serve(l)
}

// die ends a node as a process ends that is killed: nobody is told.
func (n *node) die() {
	n.conn.Close()
	n.stop()
}

// leave ends it in good order.
func (n *node) leave() {
	n.t.Helper()
	n.Leave()
	if _, err := n.manager.Suspend(context.Background(), transport.Suspension{}); err != nil {
		n.t.Error(err)
	}
	n.Close()
	n.die()
}

// cut takes its connection to NATS away, and heal gives it back.
func (n *node) cut()  { n.wire.set(true) }
func (n *node) heal() { n.wire.set(false) }

// A wire is how a node comes to NATS.
type wire struct {
	server *server.Server
	url    string // set: over loopback
	mu     sync.Mutex
	cut    bool
	conns  []net.Conn
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// pretend has all but NATS be on the other side of a cut.
func (w *wire) pretend(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

func (w *wire) dial() (net.Conn, error) {
	if w.url != "" {
		return net.Dial("tcp", w.url)
	}
	return w.server.InProcessConn()
}

// deafen takes the connection away, once: what is said until there is another one is
// not heard.
func (w *wire) deafen() {
	w.set(true)
	w.set(false)
}

func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// InProcessConn implements nats.InProcessConnProvider.
func (w *wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errCut
	}
	c, err := w.dial()
	if err == nil {
		w.conns = append(w.conns, c)
	}
	return c, err
}

// A road is how servers of NATS come to each other.
type road struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	cut      bool
	conns    []net.Conn
}

func newRoad(t *testing.T, to string) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: l, to: to}
	go r.serve()
	t.Cleanup(func() {
		l.Close()
		r.set(true)
	})
	return r
}

func (r *road) serve() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		d, err := net.Dial("tcp", r.to)
		r.mu.Lock()
		if err != nil || r.cut {
			c.Close()
		} else {
			r.conns = append(r.conns, c, d)
			go io.Copy(c, d)
			go io.Copy(d, c)
		}
		r.mu.Unlock()
	}
}

func (r *road) set(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// A shelf is the store that they share.
type shelf struct {
	sync.Mutex
	saved map[string]kept
	fail  error
}

type kept struct {
	data     []byte
	revision uint64
}

func (s *shelf) Load(_ context.Context, id string) ([]byte, uint64, error) {
	s.Lock()
	defer s.Unlock()
	k, ok := s.saved[id]
	switch {
	case s.fail != nil:
		return nil, 0, s.fail
	case !ok:
		return nil, 0, transport.ErrNoSession
	}
	return k.data, k.revision, nil
}

func (s *shelf) Save(_ context.Context, id string, data []byte, revision uint64) (uint64, error) {
	s.Lock()
	defer s.Unlock()
	switch {
	case s.fail != nil:
		return 0, s.fail
	case s.saved[id].revision != revision:
		return 0, transport.ErrConflict
	}
	s.saved[id] = kept{append([]byte(nil), data...), revision + 1}
	return revision + 1, nil
}

func (s *shelf) Delete(_ context.Context, id string, revision uint64) error {
	s.Lock()
	defer s.Unlock()
	if k, ok := s.saved[id]; ok && k.revision != revision {
		return transport.ErrConflict
	}
	delete(s.saved, id)
	return nil
}

// far is the shelf, on the other side of the node's wire.
type far struct {
	*shelf
	wire *wire
}

var errCut = errors.New("cut off")

func (f *far) Load(ctx context.Context, id string) ([]byte, uint64, error) {
	if f.wire.isCut() {
		return nil, 0, errCut
	}
	return f.shelf.Load(ctx, id)
}

func (f *far) Save(ctx context.Context, id string, data []byte, revision uint64) (uint64, error) {
	if f.wire.isCut() {
		return 0, errCut
	}
	return f.shelf.Save(ctx, id, data, revision)
}

// fixed is a backend whose streams stay where they are: an echo.
type fixed struct{}

func (fixed) Open(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	return echo{st}, nil
}

type echo struct{ st *transport.Stream }

func (e echo) Receive(p []byte) error { return e.st.TrySend(p) }
func (e echo) Close(error)            {}

// ---- a client of push.v1, by hand

type object struct {
	Session  string            `json:"session,omitempty"`
	Key      string            `json:"key,omitempty"`
	To       string            `json:"to,omitempty"`
	First    uint64            `json:"first,omitempty"`
	Messages []json.RawMessage `json:"messages,omitempty"`
	Ack      uint64            `json:"ack,omitempty"`
	Attach   uint64            `json:"attach,omitempty"`
	Wait     *int              `json:"wait,omitempty"`
	Ticket   string            `json:"ticket,omitempty"`
	Replaced bool              `json:"replaced,omitempty"`
	End      *struct {
		Code string `json:"code"`
	} `json:"end,omitempty"`
	Error *struct {
		Code string `json:"code"`
	} `json:"error,omitempty"`
}

// A client has one session.
type client struct {
	t            testing.TB
	session, key string
	sent, attach uint64
	ack          uint64
}

// create makes a session at a node, on the bus, or with the backend of that name.
func create(t testing.TB, n *node, to string) *client {
	t.Helper()
	c := &client{t: t}
	o := c.post(n, object{To: to})
	c.session, c.key = o.Session, o.Key
	if c.session == "" || !strings.HasSuffix(c.session, "."+n.Name()) {
		t.Fatalf("no session of %s: %+v", n.Name(), o)
	}
	return c
}

// try posts an object of the session.
func (c *client) try(n *node, o object) (status int, answer object, err error) {
	o.Session, o.Key = c.session, c.key
	body, err := json.Marshal(o)
	if err != nil {
		return 0, answer, err
	}
	resp, err := http.Post(n.url+"/push", "text/plain", bytes.NewReader(body))
	if err != nil {
		return 0, answer, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < 300 {
		err = json.Unmarshal(data, &answer)
	} else if err == nil {
		json.Unmarshal(data, &answer) // an error may be no JSON
	}
	return resp.StatusCode, answer, err
}

func (c *client) post(n *node, o object) object {
	c.t.Helper()
	status, answer, err := c.try(n, o)
	if err != nil || status >= 300 {
		c.t.Fatalf("status %d, %+v, %v", status, answer, err)
	}
	return answer
}

// send sends messages, by one node.
func (c *client) send(n *node, messages ...string) {
	c.t.Helper()
	o := object{First: c.sent + 1}
	for _, m := range messages {
		o.Messages = append(o.Messages, json.RawMessage(m))
	}
	c.sent += uint64(len(messages))
	if a := c.post(n, o); a.Ack < c.sent {
		c.t.Fatalf("accepted %d of %d", a.Ack, c.sent)
	}
}

// poll asks for messages, once.
func (c *client) poll(n *node) object {
	c.t.Helper()
	c.attach++
	o := c.post(n, object{Attach: c.attach, Ack: c.ack})
	c.took(o)
	return o
}

func (c *client) took(o object) {
	if len(o.Messages) > 0 {
		c.ack = o.First - 1 + uint64(len(o.Messages))
	}
}

// until polls until a message has that in it.
func (c *client) until(n *node, want string) {
	c.t.Helper()
	for range 20 {
		for _, m := range c.poll(n).Messages {
			if strings.Contains(string(m), want) {
				return
			}
		}
	}
	c.t.Fatalf("%q does not come", want)
}

// subscribe subscribes to a topic.
func (c *client) subscribe(n *node, topic string) {
	c.t.Helper()
	c.send(n, fmt.Sprintf(`{"op":"subscribe","topic":%q}`, topic))
	c.until(n, `"subscribed"`)
}

// publish publishes a text.
func (c *client) publish(n *node, topic, text string) {
	c.t.Helper()
	c.send(n, fmt.Sprintf(`{"op":"publish","topic":%q,"data":%q}`, topic, text))
}

// An events has an event stream.
type events struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
}

// stream opens an event stream, with a ticket of one node, at another.
func (c *client) stream(seller, n *node) *events {
	c.t.Helper()
	c.attach++
	body, err := json.Marshal(object{Session: c.session, Key: c.key, Attach: c.attach, Ack: c.ack})
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.Post(seller.url+"/push/sse", "text/plain", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	var o object
	err = json.NewDecoder(resp.Body).Decode(&o)
	resp.Body.Close()
	if err != nil || o.Ticket == "" {
		c.t.Fatalf("no ticket: %+v, %v", o, err)
	}
	if resp, err = http.Get(n.url + "/push/sse?ticket=" + o.Ticket); err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatal(resp.Status)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	return &events{c.t, resp.Body, bufio.NewReader(resp.Body)}
}

// next returns the next object; false at the end of the stream.
func (e *events) next() (o object, ok bool) {
	e.t.Helper()
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return o, false
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &o); err != nil {
				e.t.Fatal(err)
			}
			return o, true
		}
	}
}

// socket opens a WebSocket for the session, and returns the first object.
func (c *client) socket(n *node) (*websocket.Conn, object) {
	c.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{push.Protocol}}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(n.url, "http")+"/push/ws", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	c.attach++
	if err := conn.WriteJSON(object{Session: c.session, Key: c.key, Attach: c.attach, Ack: c.ack}); err != nil {
		c.t.Fatal(err)
	}
	var o object
	if err := conn.ReadJSON(&o); err != nil {
		c.t.Fatal(err)
	}
	return conn, o
}

func raw(messages ...string) []json.RawMessage {
	var all []json.RawMessage
	for _, m := range messages {
		all = append(all, json.RawMessage(m))
	}
	return all
}

func dial(t testing.TB, n *node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A boshClient has a session of BOSH.
type boshClient struct {
	t   testing.TB
	rid int
	sid string
}

func (b *boshClient) create(n *node) {
	b.t.Helper()
	answer := b.post(n, `xmlns:xmpp='urn:xmpp:xbosh' to='bus' wait='10' hold='1' ver='1.6' content='text/xml; charset=utf-8'`, "")
	_, after, _ := strings.Cut(answer, "sid='")
	if b.sid, _, _ = strings.Cut(after, "'"); b.sid == "" {
		b.t.Fatal(answer)
	}
}

// say sends a payload, and returns what the session says to that.
func (b *boshClient) say(n *node, payload string) string {
	b.t.Helper()
	return b.post(n, "sid='"+b.sid+"'", payload)
}

func (b *boshClient) post(n *node, attrs, payload string) string {
	b.t.Helper()
	b.rid++
	body := fmt.Sprintf("<body rid='%d' xmlns='http://jabber.org/protocol/httpbind' %s>%s</body>", b.rid, attrs, payload)
	resp, err := http.Post(n.url+"/bosh", "text/xml", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatal(resp.Status, err)
	}
	return string(data)
}

// eventually waits until something is so, which nothing tells of.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !so() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("not in time: " + what)
		}
	}
}
