package auth

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// Topics that belong to the server: clients never publish there, and need no
// grant to subscribe.
const (
	// UserTopics is the beginning of the topics for one user each.
	UserTopics = Reserved + "user/"
	// Everybody is the topic for all that are connected.
	Everybody = Reserved + "all"
)

// A Guard knows who the clients of a server's sessions are, and what they may
// do. All methods may be called from many goroutines at once. All errors are
// a *transport.Termination, which carriers and backends can tell a client;
// none of them ends the session by itself.
type Guard struct {
	opts     atomic.Pointer[Options]
	sessions registry
	nobody   Badge // of all sessions of nobody in particular
}

// NewGuard returns a guard. Nil options let nobody do anything.
func NewGuard(opts *Options) *Guard {
	g := &Guard{}
	g.nobody.guard = g
	g.nobody.principal.Store(&Principal{})
	g.SetOptions(opts)
	return g
}

// SetOptions changes the options, as when a configuration is read again. They
// count at once, for all sessions: but times of notice and grace for those
// that begin, or are refreshed, from now on.
func (g *Guard) SetOptions(opts *Options) {
	o := opts.withDefaults()
	g.opts.Store(&o)
}

// SignIn finds out who a client is before it gets a session, and returns a
// context that says so. An empty token is that of nobody in particular.
func (g *Guard) SignIn(ctx context.Context, token string) (context.Context, error) {
	p, err := g.authenticate(ctx, token)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return NewContext(ctx, p), nil
}

func (g *Guard) authenticate(ctx context.Context, token string) (*Principal, error) {
	o := g.opts.Load()
	p, err := g.identify(ctx, o, token)
	o.Trace.signedIn(p, err)
	return p, err
}

func (g *Guard) identify(ctx context.Context, o *Options, token string) (*Principal, error) {
	switch {
	case token == "" && !o.admitsAnonymous():
		return nil, &Error{Code: Unauthorized, Text: "a token is needed"}
	case token == "":
		return &Principal{}, nil
	case len(token) > MaxToken:
		return nil, &Error{Code: Unauthorized, Text: "the token is too long"}
	case o.Authenticator == nil:
		return nil, &Error{Code: Unauthorized, Text: "tokens are not accepted here"}
	}
	return g.attempt(ctx, o, token)
}

// check asks whose a token is.
func (o *Options) check(ctx context.Context, token string) (*Principal, error) {
	p, err := o.Authenticator.Authenticate(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case p == nil || p.User == "":
		return nil, &Error{Code: Unauthorized, Text: "the token says of no user"}
	case len(p.User) > MaxUser:
		return nil, &Error{Code: Unauthorized, Text: "the name of the user is too long"}
	case !p.Expires.IsZero() && !time.Now().Before(p.Expires):
		return nil, &Error{Code: Expired, Text: "the token has expired"}
	}
	return p, nil
}

// admitsAnonymous reports whether there is anything for clients without token.
func (o *Options) admitsAnonymous() bool {
	for i := range o.Rules {
		if o.Rules[i].Who.includes("") {
			return true
		}
	}
	return o.Open
}

// Bind ties who the client is, as the context says, to the session of a
// stream, and returns the badge that says so; a session that is restored is
// bound by its attribute. A backend calls it when it opens the stream, and
// releases the badge when the stream is over.
//
// Only the first principal of a session counts: a later one of the same user
// changes nothing, one of another user is refused.
func (g *Guard) Bind(ctx context.Context, st *transport.Stream) (*Badge, error) {
	s, p := st.Session(), FromContext(ctx)
	kept, bound := s.Params().Attrs[Attr]
	if bound {
		was := decode(kept)
		if p != nil && p.User != was.User {
			return nil, g.refuse(ctx, anothers)
		}
		p = was
	} else if p == nil {
		var err error
		if p, err = g.authenticate(ctx, ""); err != nil {
			return nil, g.refuse(ctx, err)
		}
	}
	if p.User == "" {
		return &g.nobody, nil // of whom there is nothing to know
	}
	b := g.sessions.bind(s, func() *Badge { return newBadge(g, p) })
	if !bound {
		s.SetAttr(Attr, p.encode())
	}
	b.tellOn(st)
	return b, nil
}

var anothers = &Error{Code: Forbidden, Text: "this session is another user's"}

// Who returns the user of a session, and when the token ends; both are zero
// for nobody in particular.
func (g *Guard) Who(s *transport.Session) (user string, expires time.Time) {
	if b := g.sessions.of(s); b != nil {
		p := b.Principal()
		return p.User, p.Expires
	}
	p := decode(s.Params().Attrs[Attr])
	return p.User, p.Expires
}

// Refresh takes a newer token of the session's user. Without one, all stays
// as it was.
func (g *Guard) Refresh(ctx context.Context, s *transport.Session, token string) error {
	b := g.sessions.of(s)
	if b == nil {
		return g.refuse(ctx, &Error{Code: Forbidden, Text: "this session has no user"})
	}
	return b.Refresh(ctx, token)
}

// Authorize reports whether who the context says, as of SignIn, may do something in a
// topic now: for what is no session.
func (g *Guard) Authorize(ctx context.Context, c Capability, topic string) error {
	p := FromContext(ctx)
	if p == nil {
		p = &Principal{}
	}
	if err := g.authorize(ctx, p, c, topic); err != nil {
		return g.refuse(ctx, err)
	}
	return nil
}

// Sessions returns the sessions of a user, the oldest first.
func (g *Guard) Sessions(user string) []*transport.Session { return g.sessions.ofUser(user) }

func (g *Guard) authorize(ctx context.Context, p *Principal, c Capability, topic string) error {
	o := g.opts.Load()
	err := o.authorize(ctx, p, c, topic)
	if err != nil {
		o.Trace.refused(c, err)
	}
	return err
}

func (o *Options) authorize(ctx context.Context, p *Principal, c Capability, topic string) error {
	switch {
	case !p.Expires.IsZero() && !time.Now().Before(p.Expires):
		return &Error{Code: Expired, Text: "the token has expired"}
	case c == Publish && strings.HasPrefix(topic, Reserved) && !o.Open:
		return &Error{Code: Forbidden, Text: "clients do not publish here"}
	case o.Open, c != Presence && p.owns(topic), p.Grants.allow(c, topic, p.User):
		return nil
	}
	for i := range o.Rules {
		if o.Rules[i].Who.includes(p.User) && o.Rules[i].Allows(c, topic, p.User) {
			return nil
		}
	}
	if o.Decide != nil {
		return o.Decide(ctx, p, c, topic)
	}
	return &Error{Code: Forbidden, Text: string(c) + " is not allowed here"}
}

// owns reports whether a topic of the server is meant for the client.
func (p *Principal) owns(topic string) bool {
	user, ok := strings.CutPrefix(topic, UserTopics)
	return topic == Everybody || ok && user == p.User && user != ""
}

// refuse says a refusal in the words of the session core. Carriers log what
// they refuse; the cause stays here.
func (g *Guard) refuse(ctx context.Context, err error) error {
	t := termination(err)
	if errors.Is(err, context.Canceled) {
		return t // the client went away
	}
	log := g.opts.Load().Logger
	if e := t.Err.(*Error); e.Code == Unavailable {
		log.WarnContext(ctx, "permission cannot be checked", "error", e)
	} else {
		log.DebugContext(ctx, "refused", "code", string(e.Code), "reason", e.Text, "error", e.Err)
	}
	return t
}
