package jetstream

import (
	"context"
	"testing"
	"time"
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
