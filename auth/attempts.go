package auth

import (
	"context"
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// Attempts counts who fails to sign in, by what the context knows of the client:
// its address, say. All methods may be called from many goroutines at once.
type Attempts interface {
	// Wait returns how long the client has to wait until it may try again. Zero:
	// it may now.
	Wait(ctx context.Context) time.Duration
	// Failed counts one.
	Failed(ctx context.Context)
}

// attempt finds out whose a token is, unless too many of the client's were none.
// Those that are good but too old, or may not connect, do not count: nobody
// guesses them.
func (g *Guard) attempt(ctx context.Context, o *Options, token string) (*Principal, error) {
	if o.Attempts == nil {
		return o.check(ctx, token)
	}
	if after := o.Attempts.Wait(ctx); after > 0 {
		text := "too many sign-ins have failed, try again later"
		return nil, &Error{Code: TooMany, Text: text, Err: &transport.TooFast{After: after, Text: text}}
	}
	p, err := o.check(ctx, token)
	var e *Error
	if errors.As(err, &e) && e.Code == Unauthorized {
		o.Attempts.Failed(ctx)
	}
	return p, err
}
