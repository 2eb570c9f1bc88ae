package jetstream

import (
	"context"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// read returns a part of the topic's history: what was handed to sinks before is in
// it, as far as it is kept.
func (t *tail) read(ctx context.Context, q bus.Query) (bus.Replay, error) {
	now := time.Now()
	epoch := t.engine.epoch
	t.mu.Lock()
	ahead := q.Since != nil && q.Since.Epoch == epoch && q.Since.Offset > t.last
	t.mu.Unlock()
	if ahead { // another process told the client of messages that have not come here yet
		if err := t.meet(ctx); err != nil {
			return bus.Replay{}, err
		}
	}
	t.mu.Lock()
	last := t.last
	history, times := t.recent, t.times
	t.mu.Unlock()
	if q.Since != nil && *q.Since == (bus.Position{Epoch: epoch, Offset: last}) || q.Since == nil && q.Last <= 0 {
		return bus.Replay{Position: bus.Position{Epoch: epoch, Offset: last}, Recovered: true}, nil
	}
	if !t.suffices(q, history, times, now) {
		var err error
		if history, times, err = t.readStream(ctx, last, now); err != nil {
			return bus.Replay{}, err
		}
		if n := len(history); n > 0 {
			last = max(last, history[n-1].Offset)
		}
	}
	history = t.kept(history, times, last, now)
	first := last + 1 - uint64(len(history)) // the oldest that is kept
	from, recovered := first, true
	switch {
	case q.Since == nil:
		from = last + 1 - uint64(min(q.Last, len(history)))
	case q.Since.Epoch == epoch && q.Since.Offset <= last && q.Since.Offset+1 >= first:
		from = q.Since.Offset + 1
	default:
		recovered = false
	}
	r := bus.Replay{Position: bus.Position{Epoch: epoch, Offset: from - 1}, Recovered: recovered}
	if from <= last {
		r.Messages = append([]bus.Message(nil), history[from-first:]...)
	}
	return r, nil
}

// suffices reports whether what is kept here answers the question.
func (t *tail) suffices(q bus.Query, recent []bus.Message, times []int64, now time.Time) bool {
	if len(recent) == 0 {
		return false
	}
	if q.Since != nil {
		return q.Since.Epoch == t.engine.epoch && q.Since.Offset+1 >= recent[0].Offset && !t.tooOld(times[0], now)
	}
	return min(q.Last, t.rule.History) <= len(recent)
}

func (t *tail) tooOld(at int64, now time.Time) bool {
	return t.rule.Age > 0 && now.Sub(time.UnixMilli(at)) >= t.rule.Age
}

// kept leaves of messages what the topic's rule keeps, of those that end with the
// last of all.
func (t *tail) kept(messages []bus.Message, times []int64, last uint64, now time.Time) []bus.Message {
	from := len(messages)
	if from == 0 || messages[from-1].Offset != last {
		return nil // the newest is gone already
	}
	bytes := 0
	for from > 0 {
		m := &messages[from-1]
		bytes += len(m.Data) + len(m.Key) + len(m.User) + messageOverhead
		gap := from < len(messages) && messages[from].Offset != m.Offset+1
		if gap || len(messages)-from >= t.rule.History || t.rule.Bytes > 0 && bytes > t.rule.Bytes || t.tooOld(times[from-1], now) {
			break
		}
		from--
	}
	return messages[from:]
}

// messageOverhead is what a message in history costs besides what it says.
const messageOverhead = 200

// readStream reads what the stream has of the topic and its rule keeps, up to an
// offset at least.
func (t *tail) readStream(ctx context.Context, upTo uint64, now time.Time) (messages []bus.Message, times []int64, err error) {
	if t.rule.History < 0 {
		return nil, nil, nil
	}
	var since time.Time
	if t.rule.Age > 0 {
		since = now.Add(-t.rule.Age)
	}
	err = t.batches(ctx, since, upTo, func(b *batch) {
		for i := range b.items {
			messages, times = append(messages, b.message(i, t.engine.epoch)), append(times, b.at)
		}
		if drop := len(messages) - 2*t.rule.History - maxBatch; drop > 0 {
			messages, times = messages[drop:], times[drop:]
		}
	})
	return messages, times, err
}

// batches calls f with the topic's batches that were stored after a time, up to an
// offset at least, as far as they are there.
func (t *tail) batches(ctx context.Context, since time.Time, upTo uint64, f func(*batch)) error {
	from, last := uint64(1), uint64(0)
	for {
		stored, more, err := t.engine.topics.read(ctx, t.subject(), from, since)
		if err != nil {
			return err
		}
		for _, m := range stored {
			if m.seq < from {
				continue
			}
			from, since = m.seq+1, time.Time{}
			b, err := parseBatch(m.data)
			if err != nil {
				return err
			}
			last = b.last()
			f(b)
		}
		switch {
		case more:
		case last >= upTo || len(stored) == 0 && !t.hasMore(ctx, from, since):
			return nil
		default:
			pause(ctx, 10*time.Millisecond) // who answers is behind
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// hasMore reports whether the stream's leader has batches from a number, or a time,
// on.
func (t *tail) hasMore(ctx context.Context, from uint64, since time.Time) bool {
	m, err := t.engine.topics.last(ctx, t.subject())
	return err == nil && m.seq >= from && !m.at.Before(since)
}
