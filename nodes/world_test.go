package nodes_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

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
	ping   time.Duration  // of connections that have nothing to say
	parks  bool           // the nodes' HTTP servers can hold requests without a goroutine
	other  *server.Server // of NATS, a node of which can be cut off with it; nil: none
}

func newWorld(t testing.TB, parks bool) *world {
	return newWorldOn(t, &server.Options{DontListen: true, NoSigs: true}, parks)
}

func newWorldOn(t testing.TB, o *server.Options, parks bool) *world {
	t.Helper()
	s := startNATS(t, o)
	w := &world{t: t, nats: s, engine: bus.NewMemory(nil), shelf: &shelf{saved: make(map[string]kept)}, ping: time.Second, parks: parks}
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
	store   *far
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
	n := &node{t: t, conn: conn, wire: wire, store: &far{shelf: w.shelf, wire: wire}}
	if n.Node, err = nodes.Join(nodes.Options{Conn: conn, Name: name, Beat: beat, Timeout: 10 * beat, MaxForwards: maxForwards, Logger: slog.New(slog.NewTextHandler(newOutput(t), nil))}); err != nil {
		t.Fatal(err)
	}
	b := bus.New(&bus.Options{Engine: w.engine})
	n.manager = transport.NewManager(&transport.Options{
		Backend: transport.Mux{"": b, "bus": b, "fixed": fixed{}},
		NewID:   n.NewID,
		Store:   n.Store(n.store),
	})
	o := &push.Options{Forward: n.Forward, Ping: w.ping}
	mux := http.NewServeMux()
	mux.Handle("/push", longpoll.NewHandler(n.manager, o))
	mux.Handle("/push/sse", sse.NewHandler(n.manager, o))
	mux.Handle("/push/ws", sockets.NewHandler(n.manager, &sockets.Options{Push: o}))
	mux.Handle("/bosh", bosh.NewHandler(n.manager, &bosh.Options{Forward: n.Forward, Polling: -1, Hold: 1}))
	n.Answers(func(question []byte) []byte { return append([]byte(name+" on "), question...) })
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
	wire  *wire
	mu    sync.Mutex
	old   map[string]kept // what is read there instead, by who is behind
	reads int             // of that
}

// fallBehind has what is read be as it is now, until it catches up.
func (f *far) fallBehind() {
	f.shelf.Lock()
	defer f.shelf.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.old = maps.Clone(f.saved)
}

func (f *far) catchUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.old = nil
}

// misled returns how often something old was read.
func (f *far) misled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

func (f *far) Load(ctx context.Context, id string) ([]byte, uint64, error) {
	if f.wire.isCut() {
		return nil, 0, errCut
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if k, ok := f.old[id]; ok {
		f.reads++
		return k.data, k.revision, nil
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
