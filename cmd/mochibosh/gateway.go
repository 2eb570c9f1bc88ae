package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/discovery"
	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/transport"
)

// A gateway is all that is served, without the listeners.
type gateway struct {
	settings  *settings
	logger    *slog.Logger
	manager   *transport.Manager
	backend   *backend
	admission *admission
	state     *state // nil: nothing outlives the process
	metrics   *metrics
	origins   origin.Policy
	draining  atomic.Bool
	public    string       // host of the public URL
	domains   atomic.Int32 // how many
}

func newGateway(s *settings, logger *slog.Logger) (*gateway, error) {
	g := &gateway{
		settings:  s,
		logger:    logger,
		admission: newAdmission(s.MaxSessionsPerIP, s.SessionRate),
		metrics:   newMetrics(),
		origins:   origin.NewPolicy(s.AllowOrigin, "Content-Type"),
		public:    hostOf(s.PublicURL),
	}
	g.backend = &backend{busName: s.PushTarget, mayPush: g.mayPush}
	overBus := &bus.Options{Logger: logger, BodyTimeout: s.BodyTimeout}
	var err error
	if g.state, err = openState(s, overBus, logger); err != nil {
		return nil, err
	}
	if s.Push != "off" {
		if g.state != nil {
			overBus.Engine = g.state.memory
		}
		g.backend.bus = bus.New(overBus)
	}
	if g.backend.relay, err = xmpp.NewRelay(&xmpp.Options{
		ClientAddr:       clientaddr.From,
		MaxStanza:        int(s.MaxStanza),
		MaxEarly:         int(s.MaxEarly),
		ConnectTimeout:   s.ConnectTimeout,
		RetryFor:         s.ConnectRetry,
		HandshakeTimeout: s.HandshakeTimeout,
		StreamTimeout:    s.StreamTimeout,
		WriteTimeout:     s.XMPPWriteTimeout,
		CloseTimeout:     s.XMPPCloseTimeout,
		KeepAlive:        s.XMPPKeepAlive,
		Trace:            g.metrics.relayTrace(),
		Logger:           logger,
	}); err != nil {
		return nil, err
	}
	if err := g.setRoutes(s.XMPP); err != nil {
		return nil, err
	}
	g.manager = transport.NewManager(&transport.Options{
		Backend: g.backend,
		Limits: transport.Params{
			MaxInbox:  int(s.MaxInbox),
			MaxOutbox: int(s.MaxOutbox),
		},
		MaxSessions: s.MaxSessions,
		MaxStreams:  s.MaxStreams,
		Admit:       g.admission.admit,
		Store:       g.state.store(),
		Trace:       g.metrics.trace(),
		Logger:      logger,
	})
	g.metrics.watch(g.manager)
	return g, nil
}

// setRoutes has new streams go to these servers; those that are open stay.
func (g *gateway) setRoutes(specs []string) error {
	routes, err := parseRoutes(specs)
	if err != nil {
		return err
	}
	if err := g.backend.relay.SetRoutes(routes); err != nil {
		return err
	}
	g.domains.Store(int32(len(routes)))
	return nil
}

// serves reports whether the domain is one of --xmpp.
func (g *gateway) serves(domain string) bool {
	return g.backend.relay.Serves(clientaddr.Hostname(domain))
}

// links are what host-meta tells: for our domains, and for the names of this
// server itself, to which another web server may redirect.
func (g *gateway) links(r *http.Request) []discovery.Link {
	host := clientaddr.Hostname(r.Host)
	if g.domains.Load() == 0 || !g.serves(host) && host != g.public && !clientaddr.IsLoopback(host) {
		return nil
	}
	return discovery.Endpoints{BOSH: pathBOSH, WebSocket: pathWebSocket, Base: g.settings.PublicURL}.Links(r)
}

// mayPush reports whether a client may use push.v1 and the bus.
func (g *gateway) mayPush(ctx context.Context) bool {
	return allowed(g.settings.Push, ctx)
}

// allowed reports whether a client may use what is "on", "off", or "local": for
// programs on this machine.
func allowed(mode string, ctx context.Context) bool {
	if mode != "local" {
		return mode == "on"
	}
	return clientaddr.OnThisMachine(ctx)
}
