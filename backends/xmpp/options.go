package xmpp

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultMaxStanza        = 256 << 10
	DefaultMaxEarly         = 64 << 10
	DefaultRetryFor         = 10 * time.Second
	DefaultConnectTimeout   = 15 * time.Second
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultStreamTimeout    = 30 * time.Second
	DefaultWriteTimeout     = 30 * time.Second
	DefaultCloseTimeout     = 5 * time.Second
)

// MinMaxStanza is the least that Options.MaxStanza may be: RFC 6120 §13.12
// "a deployed server's maximum stanza size MUST NOT be smaller than 10000
// bytes".
const MinMaxStanza = 10_000

// A Resolver looks up SRV records; [net.Resolver] is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// Options configure a [Relay]. Zero fields stand for the Default constants.
type Options struct {
	// Routes are the servers by their domains, until SetRoutes. No other target
	// is ever connected to, unless one of these servers sends clients there
	// (RFC 6120 §4.9.3.19), to a server of the same domain.
	Routes map[string]Route
	// Resolver finds SRV records. Nil: net.DefaultResolver.
	Resolver Resolver
	// Dial connects to host:port. Nil: a net.Dialer, which tries the addresses
	// of a host as RFC 6555 says.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ClientAddr returns what Route.Proxy tells a server: the client's address,
	// and that of ours which it came to. The context has the values of the one
	// that opened the stream. Nil, or nil addresses: unknown, which not every
	// server takes.
	ClientAddr func(ctx context.Context) (client, local net.Addr)

	// MaxStanza bounds one element, in bytes, in both directions. Less than
	// MinMaxStanza is raised to it.
	MaxStanza int
	// MaxDepth bounds how deep elements nest in a stanza, MaxAttributes the
	// attributes of one, in both directions. Zero: 128 and 64.
	MaxDepth, MaxAttributes int
	// MaxEarly bounds, in bytes, what a client sends between the <success/> of
	// its login and its own new <open/>, all of which waits for that.
	MaxEarly int
	// RetryFor is how long a server that cannot be connected to, or goes away
	// while a stream is being opened, is tried again: it may only be
	// restarting. Negative: it is not.
	RetryFor time.Duration
	// ConnectTimeout is how long a look-up, and each try to connect, may take.
	ConnectTimeout time.Duration
	// HandshakeTimeout is how long the handshake of TLS may take.
	HandshakeTimeout time.Duration
	// StreamTimeout is how long the server may take for each step of opening
	// a stream: for its header, its features, its answer to STARTTLS.
	StreamTimeout time.Duration
	// WriteTimeout is how long the server may take to read a frame.
	WriteTimeout time.Duration
	// CloseTimeout is how long the server may take to end its stream after
	// ours has ended.
	CloseTimeout time.Duration
	// KeepAlive is how long nothing is sent before a space is, once the
	// client has logged in. Zero: never. RFC 6120 §4.6.4 recommends five
	// minutes at least.
	KeepAlive time.Duration
	// Logger takes connections that fail (Warn), each try (Debug), never
	// payloads. Nil: no logs.
	Logger *slog.Logger
	// Trace is told what happens, for metrics.
	Trace Trace
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Resolver == nil {
		opts.Resolver = net.DefaultResolver
	}
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	setDefault(&opts.MaxStanza, DefaultMaxStanza)
	opts.MaxStanza = max(opts.MaxStanza, MinMaxStanza)
	setDefault(&opts.MaxEarly, DefaultMaxEarly)
	setDefault(&opts.RetryFor, DefaultRetryFor)
	setDefault(&opts.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&opts.HandshakeTimeout, DefaultHandshakeTimeout)
	setDefault(&opts.StreamTimeout, DefaultStreamTimeout)
	setDefault(&opts.WriteTimeout, DefaultWriteTimeout)
	setDefault(&opts.CloseTimeout, DefaultCloseTimeout)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
