package bosh

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Default values, where [Options] leaves a field zero.
const (
	DefaultWait        = 60 * time.Second
	DefaultHold        = 1
	DefaultRequests    = 4
	DefaultInactivity  = 90 * time.Second
	DefaultMaxPause    = 2 * time.Minute
	DefaultMaxBody     = 1 << 20
	DefaultBodyTimeout = 30 * time.Second
	DefaultBodyRate    = 256

	DefaultCompressFrom = 1 << 10

	DefaultOpeningWait = 15 * time.Second

	DefaultPolling = 5 * time.Second
	DefaultRepeats = 100
)

// DefaultContentTypes are the media types that a client may ask for with
// content, where [Options] names none: those that no browser takes for a page.
var DefaultContentTypes = []string{"text/xml", "application/xml", "text/plain", "application/octet-stream"}

// Options configure a [Handler]. The limits of the transport.Manager hold as
// well. Durations on the wire are whole seconds: fractions are cut off.
type Options struct {
	// XMPP reports whether a target is an XMPP domain: streams to it begin with
	// an <open/> of RFC 7395, restarts are such another one, and what the
	// server says in its own becomes attributes of <body/>, as XEP-0206 has it.
	// Nil: none is, and payloads keep the namespace that they inherit.
	XMPP func(to string) bool
	// NoStreams leaves out that one session has several streams (XEP-0124 §16).
	// How many it may have is a limit of the transport.Manager.
	NoStreams bool
	// DefaultTo is the target of a client that asks for none. Empty: such a
	// client is refused.
	DefaultTo string
	// Wait bounds how long a request is held. Zero: DefaultWait. Negative:
	// requests are answered at once.
	Wait time.Duration
	// OpeningWait bounds how long the creation of a session with an XMPP server
	// is held until the server shows its features, as the granted wait does:
	// some clients never look for features in a later answer. Zero:
	// DefaultOpeningWait. Negative: it is answered at once.
	OpeningWait time.Duration
	// Hold bounds how many requests are held at once. Zero: DefaultHold.
	// Negative: none. More than 1 stalls clients that have two connections
	// and ask for both to be held.
	Hold int
	// Requests bounds the window: how many requests a client may have open
	// at once. A client gets one more than it asked to be held, even if fewer
	// are. Zero: DefaultRequests. Negative: 1.
	Requests int
	// Inactivity is how long a session lives without an open request. It
	// should exceed Wait: a client that lost an answer without noticing
	// repeats its request only a little after the full wait. Zero:
	// DefaultInactivity. Negative: as long as the manager allows.
	Inactivity time.Duration
	// MaxPause bounds the pause that a client may ask for. Zero:
	// DefaultMaxPause. Negative: no pauses.
	MaxPause time.Duration
	// Polling is the shortest time between two polls: requests that say
	// nothing, of which the first was answered with nothing, in a session
	// where nothing is held. Who asks more often loses the session. Zero:
	// DefaultPolling. Negative: any time will do.
	Polling time.Duration
	// Repeats bounds how often one request may be repeated; the session ends
	// with the next. Zero: DefaultRepeats. Negative: any number.
	Repeats int
	// Report answers a request at once whose ack shows that an answer is
	// missing, and tells which (XEP-0124 §9.2). Some clients end the session
	// when they are told of an answer that they think they have.
	Report bool
	// MaxBody bounds the bytes of a request's body. Zero: DefaultMaxBody.
	MaxBody int
	// BodyRate is how many bytes of a body have to arrive in a second. Zero:
	// DefaultBodyRate. Negative: any number.
	BodyRate int
	// MaxDepth bounds how deep elements nest, MaxAttributes the attributes of
	// one, and MaxPayloads the payloads of one request. Zero: 128, 64 and 1024.
	MaxDepth, MaxAttributes, MaxPayloads int
	// NoAccept refuses requests with a content coding. Else gzip and deflate
	// are advertised, and MaxBody holds before and after decoding.
	NoAccept bool
	// CompressFrom is the size in bytes from which answers are compressed, for
	// clients that accept it. Zero: DefaultCompressFrom. Negative: none are, as
	// it should be where secrets and what others can choose go to the client
	// together: the length of the answers tells about both.
	CompressFrom int
	// BodyTimeout bounds the time until a request's body is there. Zero:
	// DefaultBodyTimeout.
	BodyTimeout time.Duration
	// WriteTimeout bounds the time that a client takes to read an answer.
	// Zero: DefaultBodyTimeout.
	WriteTimeout time.Duration
	// Origins are the origins whose pages may use the endpoint, besides those
	// of the same host, as browsers write them: "https://example.org". "*"
	// stands for any, "null" for pages without one. Nil: none. Requests
	// without Origin are not from pages.
	Origins []string
	// Headers are names of header fields that pages of other origins may
	// send besides Content-Type, and Authorization where there is SignIn. Nil:
	// none.
	Headers []string
	// ContentTypes are the media types that a client may choose for the
	// answers of its session. Nil: DefaultContentTypes. Anything that a
	// browser renders lets others put scripts into this origin.
	ContentTypes []string
	// SignIn finds out whose the bearer token of a request is that makes a
	// session or adds a stream; auth.Guard has such a function. The context
	// that it returns is the backend's; its errors are a
	// *transport.Termination. Without a token it is not called: clients of an
	// XMPP server show who they are there. Nil: tokens are ignored.
	SignIn func(ctx context.Context, token string) (context.Context, error)
	// Forward passes a request on to the process that has its session, and answers
	// with what that answers; its body can be read again. Nil: there is no such
	// session for the client.
	Forward func(w http.ResponseWriter, r *http.Request, owner string)
	// Logger takes violations of the protocol (Info) and a full server (Warn),
	// never ids or payloads. Nil: no logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Wait = wholeSeconds(setting(opts.Wait, DefaultWait))
	opts.OpeningWait = setting(opts.OpeningWait, DefaultOpeningWait)
	opts.Hold = setting(opts.Hold, DefaultHold)
	opts.Requests = min(max(1, setting(opts.Requests, DefaultRequests)), 255) // an unsignedByte
	opts.Inactivity = wholeSeconds(setting(opts.Inactivity, DefaultInactivity))
	opts.MaxPause = wholeSeconds(setting(opts.MaxPause, DefaultMaxPause))
	opts.Polling = wholeSeconds(setting(opts.Polling, DefaultPolling))
	opts.Repeats = setting(opts.Repeats, DefaultRepeats)
	if opts.MaxBody <= 0 {
		opts.MaxBody = DefaultMaxBody
	}
	opts.BodyRate = setting(opts.BodyRate, DefaultBodyRate)
	if opts.CompressFrom == 0 {
		opts.CompressFrom = DefaultCompressFrom
	}
	if opts.BodyTimeout <= 0 {
		opts.BodyTimeout = DefaultBodyTimeout
	}
	if opts.WriteTimeout <= 0 {
		opts.WriteTimeout = DefaultBodyTimeout
	}
	if opts.ContentTypes == nil {
		opts.ContentTypes = DefaultContentTypes
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

// setting returns v, the default for zero, or zero for a negative value.
func setting[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(0, v)
}

// wholeSeconds makes a duration one that the wire can tell: whole seconds in
// an unsignedShort.
func wholeSeconds(d time.Duration) time.Duration {
	return min(d.Truncate(time.Second), 65535*time.Second)
}

const defaultContentType = "text/xml; charset=utf-8"

// contentType returns the Content-Type of a session's answers, given what the
// client asked for (XEP-0124 §7.1). It is put together anew, so nothing of
// the client's own making gets into a header.
func (o *Options) contentType(asked string) string {
	media, _, err := mime.ParseMediaType(asked)
	if err != nil || !slices.ContainsFunc(o.ContentTypes, func(t string) bool { return strings.EqualFold(t, media) }) {
		return defaultContentType
	}
	return media + "; charset=utf-8"
}
