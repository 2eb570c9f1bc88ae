package webpush

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultMaxTopics   = 20
	DefaultMaxPayload  = 3000
	DefaultMaxWaiting  = 10_000
	DefaultMaxAttempts = 5
	DefaultMaxPause    = 5 * time.Minute
	DefaultMaxAfter    = 5 * time.Minute
	DefaultConcurrent  = 32
	DefaultTimeout     = 10 * time.Second
)

// Options configure a [Pusher].
type Options struct {
	// Keys are those of the server. They are needed.
	Keys *Keys
	// Subject is how operators of push services reach that of the server: a mailto
	// or https URL (RFC 8292 section 2.1). It is needed.
	Subject string
	// Store keeps the subscriptions. Nil: a [Memory].
	Store Store
	// Hosts are the push services that may be posted to: names, or "*." and the end
	// of names, or "*". Nil: DefaultHosts.
	Hosts []string
	// Networks may be connected to although they are not public, and on any port: for
	// push services of one's own, and for tests.
	Networks []netip.Prefix
	// RootCAs have signed the certificates of push services. Nil: those of the system.
	RootCAs *x509.CertPool
	// MaxTopics bounds the topics of one subscription.
	MaxTopics int
	// MaxPayload bounds the bytes of what the service worker gets. There is room for
	// 3993 in a body of 4096.
	MaxPayload int
	// MaxWaiting bounds the notifications that wait: to be sent, to be sent again, or
	// for their After. More are not sent.
	MaxWaiting int
	// MaxAttempts bounds how often one is sent.
	MaxAttempts int
	// MaxPause bounds the time between two attempts. A push service that asks for a
	// longer one is not asked again.
	MaxPause time.Duration
	// MaxAfter bounds Message.After.
	MaxAfter time.Duration
	// Concurrent bounds the requests at once.
	Concurrent int
	// Timeout bounds one request.
	Timeout time.Duration
	// Present reports whether a user has a session. With an error that is not known,
	// and the notification is sent. Nil: bus.Bus.HasSession.
	Present func(ctx context.Context, user string) (bool, error)
	// Trace is told what becomes of notifications; nil fields are skipped.
	Trace Trace
	// Logger takes what was not sent (Warn). It never gets endpoints or payloads. Nil:
	// no logs.
	Logger *slog.Logger
}

// A Trace is told what becomes of notifications. Its functions must not block.
type Trace struct {
	Sent    func()              // a push service has taken one
	Failed  func(reason string) // one was given up: "full", "refused", "unreachable", "store" or "shutdown"
	Expired func()              // a subscription is over, and was removed
}

func (o *Options) setDefaults(b *bus.Bus) error {
	u, err := url.Parse(o.Subject)
	switch {
	case o.Keys == nil:
		return errors.New("webpush: there are no keys")
	case err != nil || u.Scheme != "mailto" && u.Scheme != "https" || u.Opaque == "" && u.Host == "":
		return errors.New("webpush: the subject is neither a mailto nor an https URL")
	case o.MaxPayload > maxPlain:
		return errors.New("webpush: a body has room for a payload of 3993 bytes")
	}
	if o.Store == nil {
		o.Store = NewMemory(Limits{})
	}
	if o.Hosts == nil {
		o.Hosts = DefaultHosts
	}
	if o.Present == nil {
		o.Present = b.HasSession
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.MaxTopics = cmp.Or(o.MaxTopics, DefaultMaxTopics)
	o.MaxPayload = cmp.Or(o.MaxPayload, DefaultMaxPayload)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, DefaultMaxWaiting)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, DefaultMaxAttempts)
	o.MaxPause = cmp.Or(o.MaxPause, DefaultMaxPause)
	o.MaxAfter = cmp.Or(o.MaxAfter, DefaultMaxAfter)
	o.Concurrent = cmp.Or(o.Concurrent, DefaultConcurrent)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	t := &o.Trace
	t.Sent, t.Expired = orNothing(t.Sent), orNothing(t.Expired)
	if t.Failed == nil {
		t.Failed = func(string) {}
	}
	return nil
}

func orNothing(f func()) func() {
	if f == nil {
		return func() {}
	}
	return f
}
