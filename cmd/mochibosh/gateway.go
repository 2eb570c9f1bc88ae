package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
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
	allowed   *permission     // nil: there is no event bus
	api       *api.Handler    // nil: there is none
	pusher    *webpush.Pusher // nil: there is no Web Push
	admission *admission
	attempts  *attempts
	state     *state            // nil: nothing outlives the process
	cluster   *cluster          // nil: there are no other nodes
	budget    *transport.Budget // nil: none
	metrics   *metrics
	sessions  *register
	tracing   *tracing // nil: there are no spans
	admin     *admin   // nil: there is no admin page
	origins   origin.Policy
	draining  atomic.Bool
	public    string       // host of the public URL
	domains   atomic.Int32 // how many
}

func newGateway(s *settings, logger *slog.Logger) (*gateway, error) {
	g := &gateway{
		settings:  s,
		logger:    logger,
		admission: newAdmission(s.MaxSessionsPerIP, s.MaxSessionsPerUser, s.SessionRate),
		attempts:  newAttempts(s.SignInFailureRate, logger),
		metrics:   newMetrics(),
		sessions:  newRegister(),
		origins:   origin.NewPolicy(s.AllowOrigin, "Content-Type"),
		public:    hostOf(s.PublicURL),
	}
	g.admission.limited, g.attempts.limited = g.metrics.limited, g.metrics.limited
	var err error
	if g.tracing, err = newTracing(s, logger); err != nil {
		return nil, err
	}
	g.budget = s.budget()
	g.backend = &backend{busName: s.PushTarget, mayPush: g.mayPush, sessions: g.sessions}
	if err := g.openBus(); err != nil {
		return nil, err
	}
	if g.backend.relay, err = xmpp.NewRelay(&xmpp.Options{
		ClientAddr:       clientaddr.From,
		MaxStanza:        int(s.MaxStanza),
		MaxDepth:         s.MaxDepth,
		MaxAttributes:    s.MaxAttributes,
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
	o := &transport.Options{
		Backend: g.backend,
		Limits: transport.Params{
			MaxInbox:  int(s.MaxInbox),
			MaxOutbox: int(s.MaxOutbox),
		},
		MaxSessions: s.MaxSessions,
		MaxStreams:  s.MaxStreams,
		MaxEnded:    s.MaxEnded,
		MaxAnswers:  s.MaxAnswers,
		Budget:      g.budget,
		Admit:       g.admit,
		Store:       g.metrics.observe(g.state.store()),
		Trace:       g.metrics.trace(g.sessions),
		Logger:      logger,
	}
	if c := g.cluster; c != nil {
		o.Store, o.NewID = g.metrics.observe(c.sessions), c.node.NewID
	}
	g.manager = transport.NewManager(o)
	g.metrics.watch(g.manager, g.sessions, g.budget)
	if g.cluster != nil {
		g.metrics.watchNode(g.cluster.node)
	}
	return g, nil
}

// admit is a transport.Options.Admit.
func (g *gateway) admit(ctx context.Context) (release func(), err error) {
	if g.manager.Stats().Sessions >= g.settings.MaxSessions {
		g.metrics.limited("max-sessions") // as the manager finds out next
	}
	return g.admission.admit(ctx)
}

// openBus makes the event bus, of what the last process has left, and the API to
// it.
func (g *gateway) openBus() error {
	s := g.settings
	topics, err := parseTopics(s.Topic)
	if err != nil {
		return err
	}
	o := g.busOptions()
	web, err := s.webPushOptions()
	if err != nil {
		return err
	}
	if web != nil {
		topics = append([]bus.TopicRule{webpush.TopicRule()}, topics...)
	}
	topics = append([]bus.TopicRule{adminTopics}, topics...)
	o.Topics, o.OnlyKnown = topics, s.KnownTopics
	if g.cluster, err = joinCluster(s, o, g.logger); err != nil {
		return err
	}
	if g.state, err = openState(s, o, g.logger); err != nil || s.Push == "off" {
		return err
	}
	if g.allowed, err = newPermission(s, g.metrics, g.tracing, g.logger); err != nil {
		return err
	}
	g.allowed.opts.Attempts = g.attempts // as of renew
	if g.admin = newAdmin(g); g.admin != nil {
		g.admin.next, g.allowed.opts.Authenticator = g.allowed.opts.Authenticator, g.admin
		o.Authorize = g.admin.authorize
	}
	r, err := s.renewal()
	if err != nil {
		return err
	}
	o.Guard = g.allowed.guard
	if o.OnReceipts, err = s.onReceipts(g.metrics, g.tracing); err != nil {
		return err
	}
	g.backend.bus = g.newBus(o)
	apiOptions := &api.Options{
		Open:        s.Dev,
		Attempts:    g.attempts,
		MaxBody:     int(s.APIMaxBody),
		MaxBatch:    s.APIMaxBatch,
		Rate:        s.APIRate,
		MaxDepth:    s.MaxDepth,
		BodyTimeout: s.BodyTimeout,
		BodyRate:    s.bodyRate(),
		Observe:     g.metrics.called,
		Tracing:     g.tracing.spans(),
		Logger:      g.logger,
	}
	if web != nil {
		if err := g.openWebPush(web); err != nil {
			return err
		}
		apiOptions.Pusher = g.pusher
	}
	g.api = api.NewHandler(g.backend.bus, apiOptions)
	g.renew(r)
	if s.Dev {
		g.logger.Warn("development mode: everybody on this machine may do everything on the event bus")
	}
	return nil
}

// renew has other rules and keys count on the event bus, at once.
func (g *gateway) renew(r renewal) {
	if g.allowed != nil {
		g.allowed.renew(r)
		g.api.SetKeys(r.keys)
	}
	if g.admin != nil {
		g.admin.renew(r.admins)
	}
}

// busOptions are those of the event bus, but for its engine.
func (g *gateway) busOptions() *bus.Options {
	s := g.settings
	o := &bus.Options{
		MaxMessage:            int(s.MaxMessage),
		MaxInfo:               int(s.MaxMemberInfo),
		MaxTopicName:          s.MaxTopicName,
		MaxTopicsPerSession:   s.MaxTopicsPerSession,
		MaxTopics:             s.MaxTopics,
		MaxHistoryBytes:       int(s.MaxHistory),
		MaxMembers:            s.MaxMembers,
		MaxIDs:                s.MaxMessageIDs,
		MaxPending:            s.MaxPending,
		MaxReceipts:           s.MaxReceipts,
		MaxReceiptsPerSession: s.MaxReceiptsPerSession,
		MaxDepth:              s.MaxDepth,
		Trace:                 g.metrics.busTrace(),
		Logger:                g.logger,
	}
	if g.budget != nil {
		o.MaxHistoryBytes = int(min(int64(o.MaxHistoryBytes), g.budget.Bytes/2))
	}
	return o
}

// newBus returns the event bus, whose histories count in the budget.
func (g *gateway) newBus(o *bus.Options) *bus.Bus {
	if c := g.cluster; c != nil {
		o.Engine, o.Survey = c.engine, c.node.Survey
		b := bus.New(o)
		c.node.Answers(b.Answer)
		g.metrics.watchBus(b, nil)
		return b
	}
	engine := g.state.engine()
	if engine == nil {
		engine = bus.NewMemory(o)
	}
	o.Engine = engine
	if g.budget != nil {
		g.budget.Others = append(g.budget.Others, func() int64 { return int64(engine.Bytes()) })
	}
	b := bus.New(o)
	g.metrics.watchBus(b, engine)
	return b
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
