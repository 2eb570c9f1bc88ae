package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/jetstream"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
)

// A layout is what a world has.
type layout struct {
	Nodes   int
	Servers int           // of NATS; zero: one node without any, whose topics are in memory
	Disk    bool          // NATS keeps streams on disk, not in memory
	Wait    time.Duration // how long a poll is held; zero: longer than anything takes
}

// A world is nodes in this process, and servers of NATS. Between nodes and servers,
// and among those, are sockets; between clients and nodes there are none.
type world struct {
	layout
	dir     string
	servers []*server.Server
	nodes   []*node
	over    atomic.Bool // nobody asks any more
}

// A node is what `mochibosh serve` would have.
type node struct {
	*nodes.Node
	conn    *nats.Conn
	bus     *bus.Bus
	engine  *jetstream.Engine
	manager *transport.Manager
	handler http.Handler
	dead    atomic.Bool
}

const forever = time.Hour

func newWorld(ctx context.Context, l layout) (w *world, err error) {
	w = &world{layout: l}
	if w.Wait == 0 {
		w.Wait = forever
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "nodes-"); err != nil {
		return w, err
	}
	if err := w.startNATS(); err != nil {
		return w, err
	}
	for i := range l.Nodes {
		n := new(node)
		w.nodes = append(w.nodes, n)
		if err := w.start(ctx, n, i); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) startNATS() error {
	ports, err := freePorts(w.Servers)
	if err != nil {
		return err
	}
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
	}
	for i, port := range ports {
		o := &server.Options{
			ServerName: fmt.Sprint("nats", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true,
			JetStream: true, JetStreamMaxMemory: 64 << 30, StoreDir: filepath.Join(w.dir, fmt.Sprint("nats", i+1)), MaxPayload: 8 << 20,
			WriteDeadline: time.Minute, // a node may be long in collecting garbage
		}
		if w.Servers > 1 {
			o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}
			o.Routes = routes
		}
		s, err := server.NewServer(o)
		if err != nil {
			return err
		}
		w.servers = append(w.servers, s)
	}
	for _, s := range w.servers {
		go s.Start()
	}
	for _, s := range w.servers {
		if !s.ReadyForConnections(30 * time.Second) {
			return fmt.Errorf("%s does not start", s.Name())
		}
	}
	return nil
}

// freePorts returns ports that nobody listens on.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // not before all are found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func (w *world) start(ctx context.Context, n *node, i int) error {
	name := fmt.Sprint("n", i+1)
	po := &push.Options{Wait: w.Wait, Inactivity: 2 * forever}
	to := &transport.Options{MaxSessions: 2_000_000, Limits: transport.Params{Wait: forever, Inactivity: 2 * forever}}
	bo := &bus.Options{}
	if w.Servers > 0 {
		var err error
		s := w.servers[i%len(w.servers)]
		if n.conn, err = nats.Connect(s.ClientURL(), nats.MaxReconnects(-1)); err != nil {
			return err
		}
		if n.Node, err = nodes.Join(nodes.Options{
			Conn: n.conn, Name: name, AnswerWait: 2 * forever, MaxForwards: 2_000_000,
			Beat: 2 * time.Second, Timeout: 20 * time.Second, // all share the processors of one machine
		}); err != nil {
			return err
		}
		js := jetstream.Options{Conn: n.conn, Node: name, Replicas: w.Servers, InMemory: !w.Disk, MaxBytes: -1, SessionAge: 4 * forever, Bus: bo}
		store, err := insist(ctx, func(ctx context.Context) (*jetstream.Store, error) { return jetstream.NewStore(ctx, js) })
		if err != nil {
			return err
		}
		if n.engine, err = insist(ctx, func(ctx context.Context) (*jetstream.Engine, error) { return jetstream.NewEngine(ctx, js) }); err != nil {
			return err
		}
		bo.Engine, to.NewID, to.Store, po.Forward = n.engine, n.NewID, n.Store(store), n.Forward
	}
	n.bus = bus.New(bo)
	to.Backend = n.bus
	n.manager = transport.NewManager(to)
	n.handler = longpoll.NewHandler(n.manager, po)
	if n.Node != nil {
		return n.Begin(n.manager, n.handler)
	}
	return nil
}

// insist tries again while the servers of NATS find each other.
func insist[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, 2*time.Second)
		v, err := f(once)
		done()
		if err == nil || ctx.Err() != nil {
			return v, err
		}
	}
}

// kill has a node be gone as one is whose process was killed.
func (n *node) kill() {
	n.dead.Store(true)
	n.conn.Close()
}

func (w *world) close() {
	w.over.Store(true)
	for _, n := range w.nodes {
		if n.Node != nil && !n.dead.Load() {
			n.Close()
		}
		if n.engine != nil {
			n.engine.Close()
		}
		if n.conn != nil {
			n.conn.Close()
		}
	}
	for _, s := range w.servers {
		s.Shutdown()
		s.WaitForShutdown()
	}
	os.RemoveAll(w.dir)
}

// ---- what goes over the wires

// A traffic is messages and bytes, both ways.
type traffic struct{ Messages, Bytes float64 }

func (t traffic) minus(u traffic) traffic { return traffic{t.Messages - u.Messages, t.Bytes - u.Bytes} }
func (t traffic) times(x float64) traffic { return traffic{t.Messages * x, t.Bytes * x} }

// wires is what nodes and servers have said to each other, and servers among
// themselves.
type wires struct{ Nodes, Servers traffic }

func (w *world) wires() (sum wires) {
	for _, n := range w.nodes {
		if n.conn != nil {
			s := n.conn.Stats()
			sum.Nodes.Messages += float64(s.InMsgs + s.OutMsgs)
			sum.Nodes.Bytes += float64(s.InBytes + s.OutBytes)
		}
	}
	for _, s := range w.servers {
		routes, err := s.Routez(nil)
		if err != nil {
			continue
		}
		for _, r := range routes.Routes { // the other end counts what came
			sum.Servers.Messages += float64(r.OutMsgs)
			sum.Servers.Bytes += float64(r.OutBytes)
		}
	}
	return sum
}

func (a wires) minus(b wires) wires {
	return wires{a.Nodes.minus(b.Nodes), a.Servers.minus(b.Servers)}
}

// per shares it among so many.
func (a wires) per(n float64) wires { return wires{a.Nodes.times(1 / n), a.Servers.times(1 / n)} }
