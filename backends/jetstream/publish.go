package jetstream

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A publisher publishes in one topic: one batch at a time. What comes meanwhile is
// the next. All is guarded by the tail's lock.
type publisher struct {
	waiting []*publication
	running bool
	sent    *batch // whether it is stored is not known yet
	found   uint64 // its number in the stream; zero: nobody has seen it there
}

// A publication waits to be stored.
type publication struct {
	item
	done chan outcome
}

type outcome struct {
	bus.Published
	err error
}

func (p *publisher) busy() bool { return p.running }

// stored is told of each batch that the stream has.
func (p *publisher) stored(b *batch, seq uint64) {
	if p.sent != nil && p.sent.id == b.id {
		p.found = seq
	}
}

// publish publishes a message. If the context is done before, it may be published
// all the same.
func (t *tail) publish(ctx context.Context, what *bus.Publication) (bus.Published, error) {
	p := &publication{itemOf(what), make(chan outcome, 1)}
	t.mu.Lock()
	if len(t.publisher.waiting) >= t.engine.limits.MaxPending {
		t.mu.Unlock()
		return bus.Published{}, &bus.Error{Code: bus.Busy, Text: "too many messages wait to be published in the topic"}
	}
	t.publisher.waiting = append(t.publisher.waiting, p)
	if !t.publisher.running {
		t.publisher.running = true
		go t.publishAll()
	}
	t.mu.Unlock()
	select {
	case o := <-p.done:
		return o.Published, o.err
	case <-ctx.Done():
		return bus.Published{}, context.Cause(ctx)
	}
}

// publishAll publishes until nothing waits.
func (t *tail) publishAll() {
	for {
		now := t.next()
		if len(now) == 0 {
			return
		}
		ctx, cancel := t.engine.bounded(t.engine.ctx)
		err := t.publishBatch(ctx, now)
		cancel()
		if err != nil {
			now = append(now, t.rest()...) // they would only wait as long for the same
			t.engine.opts.Logger.Error("jetstream: not published", "topic", t.topic, "messages", len(now), "error", err)
			for _, p := range now {
				p.done <- outcome{err: t.engine.failed(err)}
			}
		}
	}
}

// rest takes all that waits.
func (t *tail) rest() []*publication {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.publisher.waiting
	t.publisher.waiting = nil
	return all
}

// maxBatchBytes bounds the data of one batch of several messages.
const maxBatchBytes = 256 << 10

// next takes what the next batch is of.
func (t *tail) next() []*publication {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &t.publisher.waiting
	n, bytes := 0, 0
	for n < len(*w) && n < maxBatch && (n == 0 || bytes+(*w)[n].size() <= maxBatchBytes) {
		bytes += (*w)[n].size()
		n++
	}
	now := (*w)[:n:n]
	if *w = (*w)[n:]; len(*w) == 0 {
		*w = nil
	}
	t.publisher.running = n > 0
	return now
}

// publishBatch publishes as one batch, again until that went well or it is known why
// it cannot. Each publication has its outcome, unless there is an error.
func (t *tail) publishBatch(ctx context.Context, all []*publication) error {
	if err := t.learn(ctx); err != nil {
		return err
	}
	b := &batch{id: newID()}
	t.sending(b)
	defer t.sending(nil)
	var positions []bus.Published
	for {
		after, composed, found := t.compose(b, all)
		if found {
			break
		}
		if positions = composed; len(b.items) == 0 {
			break
		}
		seq, err := t.engine.topics.append(ctx, &nats.Msg{Subject: t.subject(), Data: b.append(nil)}, after)
		if err == nil {
			t.mine(b, seq, after)
			break
		}
		// Somebody else was faster; or it is not known whether it was stored: then it
		// is among what the stream has now.
		if !errors.Is(err, errMoved) && (ctx.Err() != nil || refused(err)) {
			return err
		}
		if caught := t.meet(ctx); caught != nil {
			return errors.Join(err, caught)
		}
		if t.isAt(after) { // who answers is behind, or was not reached
			pause(ctx, publishAgain)
		}
	}
	t.tell(all, positions)
	return nil
}

// publishAgain is the pause before the same batch is tried again.
const publishAgain = 20 * time.Millisecond

// learn has the tail know what was published in the topic lately, once.
func (t *tail) learn(ctx context.Context) error {
	t.learning.Lock()
	defer t.learning.Unlock()
	t.mu.Lock()
	known, last := t.published != nil, t.last
	if !known {
		t.published = make(map[string]uint64)
	}
	t.mu.Unlock()
	if known {
		return nil
	}
	type seen struct {
		it     *item
		offset uint64
		at     int64
	}
	var all []seen
	// Up to the end, since who answers may be behind, and what is missing would be
	// published again.
	err := t.batches(ctx, time.Now().Add(-t.engine.limits.IDAge), last, func(b *batch) {
		for i := range b.items {
			all = append(all, seen{&b.items[i], b.first + uint64(i), b.at})
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.published, t.known = nil, nil
		return err
	}
	// What came meanwhile is remembered already, and newer.
	newer := t.known
	t.known = nil
	for _, s := range all {
		if s.offset <= last {
			t.remember(s.it, s.offset, s.at)
		}
	}
	t.known = append(t.known, newer...)
	return nil
}

// rewind returns the position before the first message that commands after this one
// have published.
func (t *tail) rewind(ctx context.Context, command *bus.Origin) (at bus.Position, ok bool, err error) {
	if err := t.learn(ctx); err != nil {
		return at, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, offset := range t.published {
		origin, of := strings.CutPrefix(key, originKey)
		if of && command.Before(origin) && (!ok || offset <= at.Offset) {
			at, ok = bus.Position{Epoch: t.engine.epoch, Offset: offset - 1}, true
		}
	}
	return at, ok, nil
}

// compose makes the batch of what was not published before, and returns the batch
// that it has to follow, and where each publication is. If the batch is found to be
// in the stream, as it was made before, it does nothing.
func (t *tail) compose(b *batch, all []*publication) (after uint64, positions []bus.Published, found bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq := t.publisher.found; seq > 0 {
		t.publishedHere(seq)
		return 0, nil, true
	}
	b.first, b.at, b.items = t.last+1, time.Now().UnixMilli(), nil
	positions = make([]bus.Published, len(all))
	within := make(map[string]uint64)
	for i, p := range all {
		at := &positions[i]
		at.Epoch = t.engine.epoch
		keys := p.keys()
		for k, key := range keys {
			if key == "" || at.Offset != 0 {
				continue
			}
			offset, before := t.published[key]
			if !before {
				offset, before = within[key], within[key] != 0
			}
			if before {
				at.Offset, at.Duplicate = offset, k == 0
			}
		}
		if own := keys[1]; own != "" && t.published[own] != 0 {
			at.Offset, at.Duplicate = t.published[own], false // the command itself, once more
		}
		if at.Offset != 0 {
			continue
		}
		at.Offset = b.first + uint64(len(b.items))
		b.items = append(b.items, p.item)
		for _, key := range keys {
			if key != "" {
				within[key] = at.Offset
			}
		}
	}
	return t.seq, positions, false
}

func (t *tail) sending(b *batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.publisher.sent, t.publisher.found = b, 0
}

// isAt reports whether nothing came after a batch.
func (t *tail) isAt(seq uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq == seq
}

// mine takes a batch that was just stored, if the stream did not bring it already.
func (t *tail) mine(b *batch, seq, after uint64) {
	t.hear(stored{seq: seq, data: b.append(nil)}, after)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.publishedHere(seq)
}

// meet catches up with the stream.
func (t *tail) meet(ctx context.Context) error {
	for {
		t.mu.Lock()
		others := t.behind
		t.behind = true
		t.mu.Unlock()
		if others { // somebody does
			pause(ctx, time.Millisecond)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if t.isLive() {
				return nil
			}
			continue
		}
		m, err := t.engine.topics.last(ctx, t.subject())
		if err != nil && !errors.Is(err, errNone) {
			t.givenUp()
			return err
		}
		t.mu.Lock()
		t.heard = max(t.heard, m.seq)
		if err != nil { // all is forgotten: it begins anew
			t.seq, t.heard = 0, 0
		}
		t.mu.Unlock()
		if err != nil {
			return t.again(ctx)
		}
		for {
			done, err := t.advance(ctx)
			if done {
				return nil
			}
			if err != nil {
				t.givenUp()
				return err
			}
		}
	}
}

// again begins a topic anew that the stream has forgotten.
func (t *tail) again(ctx context.Context) error {
	t.mu.Lock()
	t.behind = false
	t.mu.Unlock()
	t.loading.Lock()
	t.loaded = false
	t.loading.Unlock()
	return t.load(ctx)
}

func (t *tail) isLive() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.behind
}

// givenUp leaves what is known of to be read to somebody who has more time.
func (t *tail) givenUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.behind = t.heard > t.seq; t.behind {
		go t.catchUp()
	}
}

// tell tells the publishers.
func (t *tail) tell(all []*publication, positions []bus.Published) {
	for i, p := range all {
		p.done <- outcome{Published: positions[i]}
	}
}
