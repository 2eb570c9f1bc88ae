package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/backends/disk"
	"github.com/mochibosh/mochibosh/backends/jetstream"
	"github.com/mochibosh/mochibosh/backends/jetstream/embedded"
	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
)

// embeddedNATS has NATS run in this process.
const embeddedNATS = "embedded"

// A cluster is what this process has in common with others, on NATS.
type cluster struct {
	settings *settings
	logger   *slog.Logger
	server   *embedded.Server // nil: NATS runs elsewhere
	conn     *nats.Conn
	node     *nodes.Node
	sessions transport.Store
	engine   *jetstream.Engine   // nil: there is no bus
	browsers *jetstream.Browsers // nil: there is no Web Push
	streams  jetstream.Options
}

// joinCluster connects to NATS, and returns when topics and sessions can be kept
// there. Nil: there is none.
func joinCluster(s *settings, o *bus.Options, logger *slog.Logger) (*cluster, error) {
	if len(s.NATS) == 0 {
		return nil, nil
	}
	c := &cluster{settings: s, logger: logger}
	if err := c.connect(); err != nil {
		c.close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.NATSStartTimeout)
	defer cancel()
	if err := c.begin(ctx, o); err != nil {
		c.close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return c, nil
}

func (c *cluster) connect() (err error) {
	s := c.settings
	opts := []nats.Option{
		nats.Name("mochibosh " + s.Node),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		// What is said while nobody is connected would be old news later.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.logger.Warn("not connected to NATS", "error", err) }),
		nats.ReconnectHandler(func(conn *nats.Conn) { c.logger.Info("connected to NATS again", "server", conn.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.logger.Warn("NATS", "error", err) }),
	}
	if s.NATS[0] != embeddedNATS {
		if s.NATSCredentials != "" {
			opts = append(opts, nats.UserCredentials(s.NATSCredentials))
		}
		if s.NATSCA != "" {
			opts = append(opts, nats.RootCAs(s.NATSCA))
		}
		c.conn, err = nats.Connect(strings.Join(s.NATS, ","), opts...)
		return err
	}
	secret, err := readSecret("nats-cluster-secret", s.NATSSecret)
	if err != nil {
		return err
	}
	if c.server, err = embedded.Start(embedded.Options{
		Name:   s.Node,
		Dir:    cmp.Or(s.NATSStoreDir, filepath.Join(s.StateDir, "nats")),
		Listen: s.NATSClusterListen,
		Routes: s.NATSRoutes,
		Secret: secret,
		Logger: c.logger,
	}); err != nil {
		return err
	}
	c.conn, err = c.server.Connect(opts...)
	return err
}

// begin makes the streams. In a cluster that begins, that takes as long as the others
// do.
func (c *cluster) begin(ctx context.Context, o *bus.Options) (err error) {
	s := c.settings
	if c.node, err = nodes.Join(nodes.Options{
		Conn:        c.conn,
		Name:        s.Node,
		Prefix:      s.NATSPrefix,
		Beat:        s.NodeTimeout / 4,
		Timeout:     s.NodeTimeout,
		Quorum:      len(s.NATSRoutes)/2 + 1,
		AnswerWait:  max(s.BOSHWait, s.PushWait) + 30*time.Second,
		MaxForwards: s.MaxForwards,
		Logger:      c.logger,
	}); err != nil {
		return err
	}
	c.streams = jetstream.Options{
		Conn:       c.conn,
		Node:       s.Node,
		Prefix:     s.NATSPrefix,
		Replicas:   c.replicas(),
		Timeout:    s.NATSTimeout,
		MaxBytes:   int64(s.MaxHistory),
		SessionAge: 2 * max(s.BOSHInactivity+s.BOSHMaxPause, s.PushInactivity, time.Hour),
		Bus:        o,
		Logger:     c.logger,
	}
	var store *jetstream.Store
	if err := c.insist(ctx, func(ctx context.Context) error {
		store, err = jetstream.NewStore(ctx, c.streams)
		return err
	}); err != nil {
		return err
	}
	c.sessions = c.node.Store(store)
	if s.Push == "off" {
		return nil
	}
	return c.insist(ctx, func(ctx context.Context) error {
		c.engine, err = jetstream.NewEngine(ctx, c.streams)
		return err
	})
}

// openBrowsers returns where the browsers are kept that are to be notified.
func (c *cluster) openBrowsers(l webpush.Limits) (webpush.Store, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.settings.NATSStartTimeout)
	defer cancel()
	err := c.insist(ctx, func(ctx context.Context) (err error) {
		c.browsers, err = jetstream.NewBrowsers(ctx, c.streams, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.browsers, c.browsers.Load(ctx)
}

// insist tries again until it goes well or the context is done. Servers that are
// still looking for each other may not answer at all.
func (c *cluster) insist(ctx context.Context, f func(ctx context.Context) error) error {
	for told := false; ; told = true {
		once, cancel := context.WithTimeout(ctx, time.Second)
		err := f(once)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !told {
			c.logger.Info("waiting for NATS", "error", err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// replicas returns how many servers are to keep each message: if it is not set,
// three where there are so many.
func (c *cluster) replicas() int {
	n := c.settings.NATSReplicas
	if n == 0 {
		if n = len(c.conn.Servers()); c.server != nil {
			n = len(c.settings.NATSRoutes)
		}
		if n = min(n, 3); n < 3 {
			n = 1 // two of two are no better when one is gone
		}
	}
	return n
}

// serve has other nodes forward requests to h.
func (c *cluster) serve(m *transport.Manager, h http.Handler) error {
	if c == nil {
		return nil
	}
	return c.node.Begin(m, h)
}

// leave has other nodes take over the sessions that are saved from now on.
func (c *cluster) leave() {
	if c != nil {
		c.node.Leave()
	}
}

// close lets go of everything.
func (c *cluster) close() {
	if c == nil {
		return
	}
	if c.node != nil {
		c.node.Close()
	}
	if c.browsers != nil {
		c.browsers.Close()
	}
	if c.engine != nil {
		c.engine.Close()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	if c.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.server.Stop(ctx); err != nil {
			c.logger.Error("NATS does not stop", "error", err)
		}
	}
}

// connected reports whether NATS can be reached, and the other nodes that have to be.
func (c *cluster) connected() bool { return c == nil || c.node.Connected() }

// forward returns how carriers pass a request on to its session's node; nil: there
// are no others.
func (c *cluster) forward() func(w http.ResponseWriter, r *http.Request, owner string) {
	if c == nil {
		return nil
	}
	return c.node.Forward
}

// forwarded serves requests of other nodes, which say who the client is.
func forwarded(next http.Handler) http.Handler {
	nobody, _ := clientaddr.ParseProxies(nil)
	return clientaddr.Handler(next, nobody, clientaddr.Either)
}

// validateNATS finds what cannot work.
func (s *settings) validateNATS() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.NATS) == 0 {
		return nil
	}
	if !nodes.ValidName(s.Node) {
		fail("node: %q is no name: 1 to 63 letters, digits, - and _, another one for each server", s.Node)
	}
	if s.Durability != disk.None {
		fail("durability: with nats, every exchange is kept there")
	}
	if s.NodeTimeout < time.Second {
		fail("node-timeout: less than a second")
	}
	in := s.NATS[0] == embeddedNATS
	if in && len(s.NATS) > 1 || !in && slices.Contains(s.NATS, embeddedNATS) {
		fail("nats: embedded and others")
	}
	if in && s.StateDir == "" && s.NATSStoreDir == "" {
		fail("nats: embedded needs state-dir or nats-store-dir")
	}
	if !in && (s.NATSClusterListen != "" || len(s.NATSRoutes) > 0) {
		fail("nats-routes and nats-cluster-listen: are for nats=embedded")
	}
	if len(s.NATSRoutes) > 0 && s.NATSClusterListen == "" {
		fail("nats-routes: needs nats-cluster-listen")
	}
	if host, _, err := net.SplitHostPort(s.NATSClusterListen); s.NATSClusterListen != "" {
		switch {
		case err != nil:
			fail("nats-cluster-listen: %q is no address such as 10.0.0.1:6222", s.NATSClusterListen)
		case s.NATSSecret == "" && !clientaddr.IsLoopback(host):
			fail("nats-cluster-listen: needs nats-cluster-secret, for whoever comes there may do everything")
		}
	}
	return errors.Join(errs...)
}
