package bus

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// topic is the part of a topic that belongs to this process: its subscribers,
// and what waits to be handed to them. It exists while it has subscribers. It
// is the [Sink] that the engine feeds.
type topic struct {
	bus  *Bus
	name string
	rule TopicRule
	refs int // subscribers, and those about to be; guarded by Bus.mu

	opening sync.Mutex // held while the engine is asked
	cancel  func()     // nil: not subscribed at the engine; guarded by opening

	mu       sync.Mutex
	at       Position // of the last message that fan-out has begun with
	subs     []*subscription
	busy     bool // fan-out is telling what is at that position
	lent     bool // fan-out reads the array of subs: nothing in it may change
	pending  []event
	spare    []event       // the array that pending had before
	backlog  int           // events pending, or being handed out
	draining bool          // somebody hands out, or has promised to
	slow     atomic.Int32  // subscribers that fell behind
	hands    int           // publishers who can do that themselves
	promised bool          // one of them will
	room     chan struct{} // closed when the backlog shrinks; nil: nobody waits
}

// event is something to be told to subscribers.
type event struct {
	at      Position // of a message, or dropped up to here
	payload []byte
	member  string // set: member came or went, and need not be told itself
	dropped bool
	receipt *ReceiptRequest // of a message; nil: none is wanted
}

// open subscribes at the engine, once.
func (t *topic) open(ctx context.Context) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.cancel != nil {
		return nil
	}
	at, cancel, err := t.bus.engine.Subscribe(ctx, t.name, t)
	if err != nil {
		return err
	}
	t.cancel = cancel
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.Epoch == "" { // else a message was here before us
		t.at = at
	}
	return nil
}

func (t *topic) close() {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.cancel != nil {
		t.cancel()
		t.cancel = nil
	}
}

// attach adds a subscriber. It gets every message after the position.
func (t *topic) attach(s *subscription) Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.index = len(t.subs)
	t.subs = append(t.subs, s) // what fan-out reads ends before it
	return t.at
}

// detach removes a subscriber. Fan-out may still come to it once.
func (t *topic) detach(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(t.subs) - 1
	if t.lent || cap(t.subs) > 64 && last < cap(t.subs)/4 {
		t.subs, t.lent = slices.Clone(t.subs), false
	}
	t.subs[s.index] = t.subs[last]
	t.subs[s.index].index = s.index
	t.subs[last] = nil
	t.subs = t.subs[:last]
}

// ---- from the engine

// Deliver implements [Sink].
func (t *topic) Deliver(m Message) {
	t.enqueue(event{at: m.Position, payload: m.encoded(t.name).payload, receipt: m.Receipt})
}

// Joined implements [Sink].
func (t *topic) Joined(m Member) {
	if t.rule.NoEvents {
		return
	}
	t.enqueue(event{member: m.ID, payload: joinMessage(t.name, m)})
}

// Left implements [Sink].
func (t *topic) Left(m Member) {
	if t.rule.NoEvents {
		return
	}
	t.enqueue(event{member: m.ID, payload: leaveMessage(t.name, m)})
}

// Evicted implements [Sink].
func (t *topic) Evicted(m Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.subs {
		if as := s.visible.Load(); as != nil && as.ID == m.ID {
			go s.comeBack()
		}
	}
}

// Room implements [Sink].
func (t *topic) Room(ctx context.Context) error {
	for {
		wait := t.full()
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// full returns nil if there is room, else what is closed when to look again.
func (t *topic) full() <-chan struct{} { return t.behind(t.bus.opts.MaxPending) }

// behind returns nil if the backlog is below so much, else what is closed when to
// look again.
func (t *topic) behind(limit int) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.backlog < limit {
		return nil
	}
	if t.room == nil {
		t.room = make(chan struct{})
	}
	return t.room
}

// settled waits until nothing is left to be told.
func (t *topic) settled(ctx context.Context) error {
	for {
		wait := t.behind(1)
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *topic) enqueue(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, e)
	t.backlog++
	if t.draining {
		return
	}
	t.draining = true
	if t.hands > 0 && len(t.subs) <= fewSubscribers {
		t.promised = true
		return
	}
	go t.drain()
}

// fewSubscribers is how many a publisher tells himself: to wake another
// goroutine for them would cost more than to tell them.
const fewSubscribers = 8

// lendHand says that takeHand will be called soon, by who holds no locks then.
func (t *topic) lendHand() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hands++
}

func (t *topic) takeHand() {
	t.mu.Lock()
	t.hands--
	mine := t.promised
	t.promised = false
	t.mu.Unlock()
	if mine {
		t.drain()
	}
}

// ---- to the subscribers

// drain hands out what is pending. There is at most one drain per topic, so
// each subscriber sees the order of the queue.
func (t *topic) drain() {
	for batch := t.take(nil); batch != nil; batch = t.take(batch) {
		for _, e := range batch {
			t.fanOut(e)
		}
	}
}

// keepEvents is the largest array kept for later events.
const keepEvents = 256

// take returns what is pending, or nil, and then the drain is over. It takes
// the last batch back, to use its array again.
func (t *topic) take(done []event) []event {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(done)
	if t.spare = done[:0]; cap(done) > keepEvents {
		t.spare = nil
	}
	if len(t.pending) == 0 {
		t.draining = false
		return nil
	}
	batch := t.pending
	t.pending, t.spare = t.spare, nil
	return batch
}

// fanOut tells all subscribers. A gap in the offsets is an engine that lost
// something: that is told too.
func (t *topic) fanOut(e event) {
	subs, before := t.begin(&e)
	if e.at.Epoch != before.Epoch || e.at.Offset > before.Offset+1 {
		lost := Position{e.at.Epoch, e.at.Offset - 1}
		tell(subs, event{at: lost, payload: droppedMessage(t.name, lost), dropped: true}, before)
		t.bus.opts.Trace.dropped(t.rule.Slow, before, lost, len(subs))
		before = lost
	}
	tell(subs, e, before)
	t.done()
}

// enoughToShare is how many subscribers are worth a goroutine.
const enoughToShare = 1024

// tell returns when all are told. Many are told by several processors: else the
// last of them would wait for one, whatever the machine has.
func tell(subs []*subscription, e event, before Position) {
	workers := min(runtime.GOMAXPROCS(0), len(subs)/enoughToShare)
	if workers < 2 {
		tellEach(subs, e, before)
		return
	}
	var all sync.WaitGroup
	for part := range slices.Chunk(subs, (len(subs)+workers-1)/workers) {
		all.Go(func() { tellEach(part, e, before) })
	}
	all.Wait()
}

func tellEach(subs []*subscription, e event, before Position) {
	told := 0
	for _, s := range subs {
		if s.deliver(&e, before) {
			told++
		}
	}
	if told > 0 && e.member == "" && !e.dropped {
		subs[0].client.bus.opts.Trace.delivered(told)
	}
}

// begin moves on to the event, which need not be told if it was before, and
// borrows the subscribers.
func (t *topic) begin(e *event) (subs []*subscription, before Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.at
	switch {
	case e.member != "":
		e.at = t.at
	case e.at.Epoch == t.at.Epoch && e.at.Offset <= t.at.Offset:
		return nil, before
	default:
		t.at = e.at
	}
	t.busy, t.lent = true, true
	return t.subs, before
}

// passed reports whether fan-out is through with everything up to a position.
func (t *topic) passed(at Position) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at.Epoch == at.Epoch && (t.at.Offset > at.Offset || t.at.Offset == at.Offset && !t.busy)
}

func (t *topic) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy, t.lent = false, false
	t.backlog--
	if t.room != nil {
		close(t.room)
		t.room = nil
	}
}
