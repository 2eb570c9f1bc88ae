package push

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/mochibosh/mochibosh/internal/jsondepth"
	"github.com/mochibosh/mochibosh/transport"
)

// Options configure the carriers of push.v1. All carriers of a server are
// given the same.
type Options struct {
	// Wait is the longest hold of a poll. Proxies cut silent requests, often
	// after 30 or 60 seconds. Zero: 25 s.
	Wait time.Duration
	// Ping is how often an idle stream or socket is written to. Zero: 25 s.
	Ping time.Duration
	// Inactivity is how long a session lives without poll, stream or socket.
	// Zero: 60 s.
	Inactivity time.Duration
	// Window is how many messages of a client may be unacknowledged. Zero:
	// 256. The manager's Limits.Requests is the upper bound.
	Window int
	// MaxBody bounds the bytes of one object of the client. Zero: 256 KiB.
	MaxBody int
	// BodyTimeout bounds how long a body, or the first object on a socket,
	// may take to arrive. Zero: 10 s.
	BodyTimeout time.Duration
	// BodyRate is how many bytes of a body have to arrive in a second. Zero: 256.
	// Negative: any number.
	BodyRate int
	// MaxDepth bounds how deep values nest in JSON, and elements in XML. Zero:
	// 128.
	MaxDepth int
	// MaxAttributes bounds the attributes of one element in XML. Zero: 64.
	MaxAttributes int
	// WriteTimeout bounds how long one write to the client may take. Zero:
	// 10 s.
	WriteTimeout time.Duration
	// Origins are the origins of pages that may connect, besides the server's
	// own, such as "https://chat.example"; "*" allows any page.
	Origins []string
	// Guard knows who clients are. Nil: nobody asks, and tokens are ignored.
	Guard Guard
	// Forward passes a request on to the process that has its session, and answers
	// with what that answers; its body can be read again. Nil: such requests are
	// refused. WebSockets have their sessions come here instead.
	Forward func(w http.ResponseWriter, r *http.Request, owner string)
	// Logger takes protocol violations, without keys or messages. Nil: none.
	Logger *slog.Logger
}

// A Guard knows who clients are (section 6); auth.Guard is one. Its errors are
// a *transport.Termination with the condition Unauthorized, Expired, Policy or
// Unreachable.
type Guard interface {
	// SignIn finds out whose a token is, before there is a session; without a
	// token it is empty. The context that it returns is that of the session's
	// stream.
	SignIn(ctx context.Context, token string) (context.Context, error)
	// Refresh takes a newer token of the session's user.
	Refresh(ctx context.Context, s *transport.Session, token string) error
	// Who returns the user of a session, and when the token ends; zero values
	// for nobody in particular, and for never.
	Who(s *transport.Session) (user string, expires time.Time)
}

// Defaults of [Options].
const (
	DefaultWait         = 25 * time.Second
	DefaultPing         = 25 * time.Second
	DefaultInactivity   = 60 * time.Second
	DefaultWindow       = 256
	DefaultMaxBody      = 256 << 10
	DefaultBodyRate     = 256
	DefaultBodyTimeout  = 10 * time.Second
	DefaultWriteTimeout = 10 * time.Second
)

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&opts.Wait, DefaultWait},
		{&opts.Ping, DefaultPing},
		{&opts.Inactivity, DefaultInactivity},
		{&opts.BodyTimeout, DefaultBodyTimeout},
		{&opts.WriteTimeout, DefaultWriteTimeout},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if opts.Window == 0 {
		opts.Window = DefaultWindow
	}
	if opts.MaxBody == 0 {
		opts.MaxBody = DefaultMaxBody
	}
	if opts.BodyRate == 0 {
		opts.BodyRate = DefaultBodyRate
	}
	if opts.MaxDepth == 0 {
		opts.MaxDepth = jsondepth.Default
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}
