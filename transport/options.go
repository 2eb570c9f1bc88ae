package transport

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/google/uuid"
)

// Params is what an adapter and a client agreed on. It is fixed when the
// session is created.
type Params struct {
	// Protocol is the adapter's name for itself, such as "bosh" or "push.v1".
	// An adapter serves only sessions of its own protocol: their ids need not
	// be equally secret.
	Protocol string
	// Secret proves that a request comes from the holder of the session,
	// where the id alone does not. The adapter checks it.
	Secret string
	// Wait is how long an unanswered request is held. Zero: not at all.
	Wait time.Duration
	// Inactivity is how long a session lives without any request open.
	// Zero: the upper bound of Options.Limits.
	Inactivity time.Duration
	// MaxPause bounds the pause that a client may ask for. Zero: no pauses.
	MaxPause time.Duration
	// Hold is how many numbered requests stay unanswered while there is
	// nothing to say. Zero: none, the client polls.
	Hold int
	// Requests is the window: how far above the last request accepted in
	// order a number may lie. Zero: the upper bound of Options.Limits.
	Requests int
	// FirstSeq is the number of the first request. Zero stands for 1.
	FirstSeq uint64
	// OneStream ends a response where the next frame is of another stream.
	OneStream bool
	// Fleeting says that the session ends with the connection that made it: it
	// cannot go on in another process.
	Fleeting bool
	// MaxInbox and MaxOutbox are byte budgets: what was accepted from the
	// client and not yet taken by backends, and what was sent and not yet
	// acknowledged. Zero: the upper bounds of Options.Limits.
	MaxInbox, MaxOutbox int
	// Gate, if set, judges numbered requests, and may remember more of the
	// session than Attrs can.
	Gate Gate
	// Attrs are the adapter's own negotiated values, kept with the session.
	// Session.SetAttr changes them.
	Attrs map[string]string
}

// Default upper bounds, where Options.Limits leaves a field zero.
const (
	DefaultWait       = 5 * time.Minute
	DefaultInactivity = 10 * time.Minute
	DefaultMaxPause   = 10 * time.Minute
	DefaultHold       = 4
	DefaultRequests   = 256
	DefaultMaxInbox   = 256 << 10
	DefaultMaxOutbox  = 1 << 20

	DefaultMaxSessions = 1_000_000
	DefaultMaxStreams  = 8
	DefaultMaxEnded    = 10_000
	DefaultMaxAnswers  = 256
)

// Options configure a [Manager].
type Options struct {
	// Backend opens the streams of all sessions; often a [Mux].
	Backend Backend
	// Limits are upper bounds of what sessions may agree on. Zero fields
	// stand for the Default constants.
	Limits Params
	// Admit, if set, is asked before a session is made, with the context of the
	// request for it. An error refuses: Create returns it, and carriers tell
	// [ErrClientLimit] from others. Release, if not nil, is called once, when
	// the session is over or did not come about. Neither may block.
	Admit func(ctx context.Context) (release func(), err error)
	// MaxSessions bounds the live sessions. Zero: DefaultMaxSessions.
	MaxSessions int
	// MaxStreams bounds the open streams of one session. Zero:
	// DefaultMaxStreams. At most 65,535.
	MaxStreams int
	// MaxEnded bounds how many ended sessions are remembered for late
	// requests. Zero: DefaultMaxEnded. Negative: none.
	MaxEnded int
	// MaxAnswers bounds the answers to numbered requests that a session keeps, for
	// copies of these; never less than its window has room for. Zero:
	// DefaultMaxAnswers. At most 65,535.
	MaxAnswers int
	// Budget, if set, bounds what sessions keep, all together.
	Budget *Budget
	// NewID makes session ids. They must be unpredictable: in some protocols
	// the id is the only proof. Nil: a random UUID, 122 random bits.
	NewID func() string
	// Store keeps the sessions outside of the process, as far as their backends
	// can resume streams: then no answer leaves before what it acknowledges is
	// stored. Nil: they end with the process, if it is not told to suspend them.
	Store Store
	// Trace observes. Nil: nobody does.
	Trace *Trace
	// Logger takes starts and ends of sessions (Info) and faults of backends
	// (Error); ids and conditions, never payloads. Nil: no logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Backend == nil {
		opts.Backend = Mux{}
	}
	if opts.NewID == nil {
		opts.NewID = uuid.NewString
	}
	if opts.Admit == nil {
		opts.Admit = func(context.Context) (func(), error) { return nil, nil }
	}
	if opts.Trace == nil {
		opts.Trace = &Trace{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.MaxSessions = orDefault(opts.MaxSessions, DefaultMaxSessions)
	opts.MaxStreams = min(orDefault(opts.MaxStreams, DefaultMaxStreams), math.MaxUint16)
	opts.MaxEnded = orDefault(opts.MaxEnded, DefaultMaxEnded)
	opts.MaxAnswers = min(orDefault(opts.MaxAnswers, DefaultMaxAnswers), math.MaxUint16)
	l := &opts.Limits
	l.Wait = orDefault(l.Wait, DefaultWait)
	l.Inactivity = orDefault(l.Inactivity, DefaultInactivity)
	l.MaxPause = orDefault(l.MaxPause, DefaultMaxPause)
	l.Hold = orDefault(l.Hold, DefaultHold)
	l.Requests = orDefault(l.Requests, DefaultRequests)
	l.MaxInbox = orDefault(l.MaxInbox, DefaultMaxInbox)
	l.MaxOutbox = orDefault(l.MaxOutbox, DefaultMaxOutbox)
	return opts
}

// clamp returns p within the limits.
func (p Params) clamp(limits *Params) Params {
	p.Wait = bound(p.Wait, limits.Wait)
	p.MaxPause = bound(p.MaxPause, limits.MaxPause)
	p.Hold = bound(p.Hold, limits.Hold)
	p.Inactivity = bound(orDefault(p.Inactivity, limits.Inactivity), limits.Inactivity)
	p.Requests = bound(orDefault(p.Requests, limits.Requests), limits.Requests)
	p.MaxInbox = bound(orDefault(p.MaxInbox, limits.MaxInbox), limits.MaxInbox)
	p.MaxOutbox = bound(orDefault(p.MaxOutbox, limits.MaxOutbox), limits.MaxOutbox)
	p.FirstSeq = orDefault(p.FirstSeq, 1)
	return p
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func bound[T int | time.Duration](v, upper T) T { return max(0, min(v, upper)) }
