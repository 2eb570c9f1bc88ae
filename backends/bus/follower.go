package bus

import (
	"context"
	"slices"
	"time"
)

// follower leads a subscription from a position to where it is live: it sends
// what history has after the position, then what came while it did so. It is
// how a subscription begins, and how one that fell behind returns.
//
// While it sends, it holds what fan-out brings. While it has to wait for room
// it holds nothing, but reads history again afterwards; so a client that is
// behind costs one message of memory and not its whole backlog.
type follower struct {
	sub *subscription
	at  Position // up to here everything is sent, or is told to be dropped

	// Guarded by the client's lock, as is at for others than the follower.
	holding bool
	held    []event
	stale   bool // who came and went was not told
	arrived bool // live, but fan-out may bring what history had already

	cancel func()        // nil: it runs in the client's own Receive
	done   chan struct{} // closed when it is over
}

// maxHeld bounds what is held. More than that comes only if fan-out is faster
// than the reading of history; then history is read again.
const maxHeld = 256

// take takes what fan-out brings, with the lock held. It reports false when
// that is for the stream.
func (f *follower) take(e *event) bool {
	if f.arrived {
		if e.member == "" && !f.sent(e) {
			f.sub.follow, f.sub.at = nil, f.at
			return false
		}
		return e.member == ""
	}
	if f.holding && len(f.held) == maxHeld {
		f.release()
	}
	if f.holding {
		f.held = append(f.held, *e)
	} else if e.member != "" {
		f.stale = true
	}
	return true
}

// sent reports whether history had a message before fan-out brings it.
func (f *follower) sent(e *event) bool {
	return e.at.Epoch == f.at.Epoch && e.at.Offset <= f.at.Offset
}

// release lets go of what is held, with the lock held.
func (f *follower) release() {
	for _, e := range f.held {
		f.stale = f.stale || e.member != ""
	}
	f.holding, f.held = false, nil
}

// begin sends the answer to a subscription, with which the client has it, and
// then what follows it.
func (f *follower) begin(ctx context.Context, subscribed []byte, r Replay) error {
	c := f.sub.client
	waited, err := c.answer(subscribed, func() {
		f.at = r.Position
		i, _ := c.find(f.sub.topic.name)
		c.subs = slices.Insert(c.subs, i, f.sub)
	}, f.release)
	if !waited && err == nil {
		waited, err = f.replay(ctx, r.Messages, r.Last())
	}
	live := false
	if !waited && err == nil {
		live, err = f.flush(ctx)
	}
	if live || err != nil {
		return err
	}
	return f.catchUp(ctx)
}

// catchUp reads history and sends it until the subscription is live. While the
// engine cannot be reached it waits: what was missed is not lost for that.
func (f *follower) catchUp(ctx context.Context) error {
	for {
		live, err := f.step(ctx)
		switch {
		case isUnavailable(err):
			select {
			case <-time.After(engineRetry):
			case <-ctx.Done():
				return ctx.Err()
			}
		case live || err != nil:
			return err
		}
	}
}

// engineRetry is how often an engine is asked again that could not be reached.
const engineRetry = time.Second

// step is one turn: it reads history, and sends as long as there is room.
func (f *follower) step(ctx context.Context) (live bool, err error) {
	t := f.sub.topic
	stale := f.hold()
	replay, err := t.bus.engine.Read(ctx, t.name, Query{Since: &f.at})
	if err != nil {
		return false, err
	}
	if !replay.Recovered && t.rule.Slow == End {
		return false, overflow(t.name)
	}
	last := replay.Last()
	if t.rule.Slow == LatestPerKey {
		replay.Messages = latestPerKey(replay.Messages)
	}
	if waited, err := f.replay(ctx, replay.Messages, last); waited || err != nil {
		f.markStale(stale)
		return false, err
	}
	if stale {
		if waited, err := f.sendMembers(ctx); waited || err != nil {
			return false, err
		}
	}
	return f.flush(ctx)
}

// hold begins to hold what fan-out brings, and reports whether the members
// are to be told again.
func (f *follower) hold() (stale bool) {
	f.sub.client.mu.Lock()
	defer f.sub.client.mu.Unlock()
	stale = f.stale
	f.holding, f.held, f.stale = true, nil, false
	return stale
}

func (f *follower) markStale(stale bool) {
	f.sub.client.mu.Lock()
	defer f.sub.client.mu.Unlock()
	f.stale = f.stale || stale
}

// replay sends messages of the history that ends at last. It stops after it
// had to wait, for then more may have happened.
func (f *follower) replay(ctx context.Context, messages []Message, last Position) (waited bool, err error) {
	for _, m := range messages {
		if waited, err = f.skipTo(ctx, Position{m.Epoch, m.Offset - 1}); waited || err != nil {
			return waited, err
		}
		if waited, err = f.send(ctx, m.encoded(f.sub.topic.name).payload, m.Position, m.Receipt); err == nil {
			f.trace().delivered(1)
		}
		if waited || err != nil {
			return waited, err
		}
	}
	return f.skipTo(ctx, last)
}

// skipTo announces the messages between here and there as dropped.
func (f *follower) skipTo(ctx context.Context, there Position) (waited bool, err error) {
	if there == f.at {
		return false, nil
	}
	from := f.at
	if waited, err = f.send(ctx, droppedMessage(f.sub.topic.name, there), there, nil); err == nil {
		f.trace().dropped(f.sub.topic.rule.Slow, from, there, 1)
	}
	return waited, err
}

func (f *follower) trace() *Trace { return f.sub.client.bus.opts.Trace }

func (f *follower) sendMembers(ctx context.Context) (waited bool, err error) {
	t := f.sub.topic
	members, count, err := t.bus.engine.Members(ctx, t.name, t.bus.opts.MaxMembers)
	if err != nil {
		return false, err
	}
	return f.send(ctx, presenceMessage(nil, t.name, members, count), f.at, nil)
}

// flush sends what was held, until nothing is, and the subscription is live.
func (f *follower) flush(ctx context.Context) (live bool, err error) {
	for {
		held, live, ok := f.takeHeld()
		if live || !ok {
			return live, nil
		}
		for i, e := range held {
			if e.member == "" && f.sent(&e) {
				continue
			}
			at := f.at
			if e.member == "" {
				at = e.at
			}
			waited, err := f.send(ctx, e.payload, at, e.receipt)
			if err != nil {
				return false, err
			}
			if e.member == "" && !e.dropped {
				f.trace().delivered(1)
			}
			if waited {
				for _, e := range held[i+1:] {
					f.markStale(e.member != "")
				}
				return false, nil
			}
		}
	}
}

// takeHeld returns what is held. If nothing is, the subscription is live from
// here on; if it was too much, ok is false.
func (f *follower) takeHeld() (held []event, live, ok bool) {
	f.sub.client.mu.Lock()
	defer f.sub.client.mu.Unlock()
	if !f.holding {
		return nil, false, false
	}
	if held, f.held = f.held, nil; held == nil {
		if f.arrived = true; f.sub.topic.passed(f.at) {
			f.sub.follow, f.sub.at = nil, f.at
		}
		return nil, true, true
	}
	return held, false, true
}

// send sends a payload, after which everything up to a position is sent, and
// reports whether it had to wait for room.
func (f *follower) send(ctx context.Context, p []byte, at Position, r *ReceiptRequest) (waited bool, err error) {
	c := f.sub.client
	return c.send(ctx, p, c.owes(f.sub.topic.name, at, r), func() { f.at = at }, f.release)
}

// latestPerKey leaves, of the messages with one key, only the newest.
func latestPerKey(messages []Message) []Message {
	newest := make(map[string]uint64)
	for _, m := range messages {
		newest[m.Key] = m.Offset
	}
	kept := messages[:0]
	for _, m := range messages {
		if m.Key == "" || newest[m.Key] == m.Offset {
			kept = append(kept, m)
		}
	}
	return kept
}
