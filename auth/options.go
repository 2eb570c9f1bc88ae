package auth

import (
	"context"
	"log/slog"
	"time"
)

// Default values, where [Options] leave a field zero.
const (
	DefaultNotice = time.Minute
	DefaultGrace  = 30 * time.Second
)

// Options configure a [Guard]. With none, nobody may do anything.
type Options struct {
	// Authenticator says whose a token is. Nil: no token is good.
	Authenticator Authenticator
	// Rules are what the server grants by itself. If any is for anonymous
	// sessions, clients without a token may connect.
	Rules []Rule
	// Decide, if set, is asked about what neither a token nor a rule allows.
	// Nil allows it; an *[Error] refuses in its own words, any other counts as
	// Unavailable. It may take time: only the session that asks waits.
	Decide func(ctx context.Context, p *Principal, c Capability, topic string) error
	// Open allows everything to everybody, token or not. It is for
	// development.
	Open bool
	// Attempts, if set, counts tokens that are none, and says who has to wait.
	Attempts Attempts
	// Notice is how long before its token expires a client is told so. Zero:
	// DefaultNotice.
	Notice time.Duration
	// Grace is how long a session goes on without a good token. Zero:
	// DefaultGrace. Negative: not at all.
	Grace time.Duration
	// Trace observes. Nil: nobody does.
	Trace *Trace
	// Logger takes what could not be asked (Warn), and the causes of refusals
	// (Debug); never tokens. Nil: no logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Notice == 0 {
		opts.Notice = DefaultNotice
	}
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	opts.Grace = max(0, opts.Grace)
	if opts.Trace == nil {
		opts.Trace = &Trace{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}
