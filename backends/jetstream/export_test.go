package jetstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Hasten has processes be taken for dead sooner, in engines made later.
func Hasten(t *testing.T, away time.Duration) {
	old, oldEvery := awayAfter, aliveEvery
	awayAfter, aliveEvery = away, away/8
	t.Cleanup(func() { awayAfter, aliveEvery = old, oldEvery })
}

// Behind has the next answer about topics come from a server of NATS that has not got
// anything yet. It returns how to find out whether that was asked.
func (e *Engine) Behind() (asked func() bool) {
	yes, ask := false, e.topics.direct
	e.topics.direct = func(ctx context.Context, subject string, from uint64, since time.Time) ([]stored, bool, error) {
		if !yes {
			yes = true
			return nil, false, nil
		}
		return ask(ctx, subject, from, since)
	}
	return func() bool { return yes }
}

// Busy has as many requests be under way as may be, until done is called.
func (s *Store) Busy() (done func()) {
	for range maxUnanswered {
		s.log.slots <- struct{}{}
	}
	return func() {
		for range maxUnanswered {
			s.log.leave()
		}
	}
}

// Deaf has what the streams publish once more of a topic not come here.
func (e *Engine) Deaf(topic string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tails[topic]
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.sub.Unsubscribe()
}

// Unread has no server answer who reads topics, until it is undone.
func (e *Engine) Unread() (undo func()) {
	var over atomic.Bool
	ask := e.topics.direct
	e.topics.direct = func(ctx context.Context, subject string, from uint64, since time.Time) ([]stored, bool, error) {
		if !over.Load() {
			return nil, false, errors.New("nobody answers")
		}
		return ask(ctx, subject, from, since)
	}
	return func() { over.Store(true) }
}

// Stale has so many answers about topics come from servers of NATS that have nothing
// new, not even the leader, as it thinks. When that is asked first, f runs.
func (e *Engine) Stale(n int, f func()) {
	var reads, asks int
	var old stored
	direct, leader := e.topics.direct, e.topics.leader
	e.topics.direct = func(ctx context.Context, subject string, from uint64, since time.Time) ([]stored, bool, error) {
		if reads++; reads <= n {
			return nil, false, nil
		}
		return direct(ctx, subject, from, since)
	}
	e.topics.leader = func(ctx context.Context, subject string) (m stored, err error) {
		asks++
		switch {
		case asks == 1:
			old, err = leader(ctx, subject)
			f()
		case asks > n:
			return leader(ctx, subject)
		}
		return old, err
	}
}

// Unanswered has the next batch be stored, and nobody told.
func (e *Engine) Unanswered() {
	var once sync.Once
	store := e.topics.store
	e.topics.store = func(ctx context.Context, msg *nats.Msg, after uint64) (seq uint64, err error) {
		seq, err = store(ctx, msg, after)
		once.Do(func() { err = errors.New("the answer got lost") })
		return seq, err
	}
}

// Reminds returns of which batch of a topic this process is to remind.
func (e *Engine) Reminds(topic string) (seq uint64, to bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tails[topic]
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq, t.reminder.seq == t.seq && t.reminder.timer != nil
}

// Heard returns whether a topic is known to have more than was read of it.
func (e *Engine) Heard(topic string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tails[topic]
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard > t.seq
}

// Found makes a batch, has the stream bring it, and reports whether it would be made
// again.
func (e *Engine) Found(ctx context.Context, topic string) (again bool, err error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return false, err
	}
	b, all := &batch{id: newID()}, []*publication{{item: item{data: "1"}}}
	t.sending(b)
	defer t.sending(nil)
	after, _, _ := t.compose(b, all)
	t.hear(stored{seq: after + 1, data: b.append(nil)}, after)
	_, _, found := t.compose(b, all)
	return !found, nil
}

// Sign has a sign of life of a process come, with this number.
func (e *Engine) Sign(of *Engine, count string) {
	msg := nats.NewMsg("")
	msg.Data = []byte(of.lives.own)
	msg.Header.Set(countHeader, count)
	e.lives.hear(msg)
}

// Bury has a process take another for dead.
func (e *Engine) Bury(other *Engine) {
	for _, t := range e.all() {
		t.bury(other.lives.own)
	}
}

// Forget has the stream of browsers have nothing of one any more, as after a while.
func (b *Browsers) Forget(t *testing.T, endpoint string) {
	t.Helper()
	if err := b.log.stream.Purge(t.Context(), jetstream.WithPurgeSubject(b.subject(endpoint))); err != nil {
		t.Fatal(err)
	}
}
