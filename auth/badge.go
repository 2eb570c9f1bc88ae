package auth

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A Badge is who a session belongs to, and the clock of its token:
//
//	Expires-Notice    Expires          Expires+Grace
//	─────┬───────────────┬──────────────────┬
//	 `expiring`      `expired`       the stream ends
//
// All methods may be called from many goroutines at once.
type Badge struct {
	guard     *Guard
	principal atomic.Pointer[Principal]

	// Set by the registry, and guarded by its lock; session never changes. Nil:
	// the badge of nobody in particular, which many sessions have.
	session    *transport.Session
	refs       int    // streams
	prev, next *Badge // of the same user

	mu       sync.Mutex
	stream   *transport.Stream // on which the client is told
	watchers []Watcher
	timer    *time.Timer // nil: the token never expires
	told     stage       // what the client was told about it
	over     bool
}

// A Watcher is told when a client has a newer token, which may grant less. Refreshed is
// called with
// locks: it must not block, nor call the badge.
type Watcher interface{ Refreshed() }

// Watch has a watcher told until Unwatch. Nobody in particular has no tokens.
func (b *Badge) Watch(w Watcher) {
	if b.session != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = append(b.watchers, w)
	}
}

// Unwatch undoes Watch.
func (b *Badge) Unwatch(w Watcher) {
	if b.session != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(b.watchers, func(o Watcher) bool { return o == w })
	}
}

type stage int

const (
	valid stage = iota
	expiring
	expired
)

func newBadge(g *Guard, p *Principal) *Badge {
	b := &Badge{guard: g}
	b.principal.Store(p)
	return b
}

// Principal returns who the client is, and what its token grants.
func (b *Badge) Principal() *Principal { return b.principal.Load() }

// Authorize says whether the client may do something in a topic. The error is
// a *transport.Termination.
func (b *Badge) Authorize(ctx context.Context, c Capability, topic string) error {
	if err := b.guard.authorize(ctx, b.principal.Load(), c, topic); err != nil {
		return b.guard.refuse(ctx, err)
	}
	return nil
}

// Refresh takes a newer token of the same user. Without one, all stays as it
// was. The error is a *transport.Termination.
func (b *Badge) Refresh(ctx context.Context, token string) error {
	if token == "" {
		return b.guard.refuse(ctx, &Error{Code: Unauthorized, Text: "a token is needed"})
	}
	p, err := b.guard.authenticate(ctx, token)
	if err == nil && (b.session == nil || p.User != b.principal.Load().User) {
		err = anothers
	}
	if err != nil {
		return b.guard.refuse(ctx, err)
	}
	b.session.SetAttr(Attr, p.encode())
	b.mu.Lock()
	b.principal.Store(p)
	b.told = valid
	for _, w := range b.watchers {
		w.Refreshed()
	}
	b.mu.Unlock()
	b.tick()
	return nil
}

// Release gives the badge back when a stream is over.
func (b *Badge) Release() {
	if b.session == nil {
		return
	}
	if !b.guard.sessions.release(b) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// tellOn has the client told on this stream from now on: an earlier one of the
// session may be closed.
func (b *Badge) tellOn(st *transport.Stream) {
	b.mu.Lock()
	b.stream = st
	b.mu.Unlock()
	b.tick()
}

// tick looks what time it is, and when to look again.
func (b *Badge) tick() {
	st, news, end := b.advance(time.Now())
	if news != nil {
		_ = st.TrySend(news) // a client that is behind anyway learns it at the end
	}
	if end {
		st.Close(&transport.Termination{Condition: transport.Expired, Text: "the token has expired"})
	}
}

func (b *Badge) advance(now time.Time) (st *transport.Stream, news []byte, end bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, o := b.principal.Load(), b.guard.opts.Load()
	if b.over || p.Expires.IsZero() {
		if b.timer != nil {
			b.timer.Stop()
		}
		return nil, nil, false
	}
	var next time.Time
	switch left := p.Expires.Sub(now); {
	case left <= -o.Grace:
		return b.stream, nil, true
	case left <= 0:
		if b.told != expired {
			news = notice("expired", "grace", left+o.Grace)
		}
		b.told, next = expired, p.Expires.Add(o.Grace)
	case left <= o.Notice:
		if b.told != expiring {
			news = notice("expiring", "expires", left)
		}
		b.told, next = expiring, p.Expires
	default:
		next = p.Expires.Add(-o.Notice)
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(next.Sub(now), b.tick)
	} else {
		b.timer.Reset(next.Sub(now))
	}
	return b.stream, news, false
}

// notice is a message to the client (docs/push-v1.md, section 6).
func notice(kind, member string, left time.Duration) []byte {
	b := append([]byte(nil), `{"type":"`+kind+`","`+member+`":`...)
	return append(strconv.AppendInt(b, int64((left+time.Second-1)/time.Second), 10), '}')
}
