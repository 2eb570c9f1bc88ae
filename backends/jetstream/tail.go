package jetstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A tail is the end of a topic, as far as this process knows it: it follows the
// stream as long as somebody here uses the topic.
type tail struct {
	engine *Engine
	topic  string
	token  string
	rule   bus.TopicRule
	users  int // who is about to do something with it; guarded by Engine.mu

	loading sync.Mutex // held while NATS is asked for the end
	loaded  bool       // guarded by loading

	learning sync.Mutex // held while NATS is asked what was published

	mu        sync.Mutex
	seq       uint64 // of the last batch
	last      uint64 // offset of the last message
	at        int64  // when the last batch was published
	recent    []bus.Message
	times     []int64 // of recent, in ms since 1970
	sinks     []bus.Sink
	behind    bool      // somebody reads what was missed
	heard     uint64    // the highest batch that is known of
	goneSince time.Time // since when the stream says that it is not there; zero: it does not
	used      time.Time
	sub       *nats.Subscription
	published map[string]uint64 // offsets by ids and commands, once the topic is published to
	known     []known           // the same, oldest first
	publisher publisher
	roster    *roster // nil: nobody asked

	reminder reminder

	lostBefore int // what was thrown away of what came, when last looked
}

// A known is something published that is not to be published again.
type known struct {
	key string
	at  int64
}

func newTail(e *Engine, topic string) *tail {
	return &tail{engine: e, topic: topic, token: token(topic), rule: e.limits.Rule(topic), used: time.Now()}
}

func (t *tail) subject() string { return t.engine.opts.subject("topic", t.token) }

// load finds out where the topic ends. One that never was begins.
func (t *tail) load(ctx context.Context) error {
	t.loading.Lock()
	defer t.loading.Unlock()
	if t.loaded {
		return nil
	}
	if t.sub == nil {
		sub, err := t.engine.opts.Conn.ChanSubscribe(t.engine.opts.subject("said", t.token), t.engine.came)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.sub = sub
		t.mu.Unlock()
	}
	for {
		m, err := t.engine.topics.last(ctx, t.subject())
		if errors.Is(err, errNone) {
			if err = t.begin(ctx); err == nil || errors.Is(err, errMoved) {
				continue
			}
		}
		if err != nil {
			return err
		}
		b, err := parseBatch(m.data)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.seq, t.last, t.at = m.seq, b.last(), b.at
		if t.heard > t.seq {
			t.behind = true
			go t.catchUp()
		}
		t.mu.Unlock()
		t.loaded = true
		return nil
	}
}

// begin stores a first batch, without messages. Its offset is above all that the
// topic may have had in an earlier life, which the stream has forgotten.
func (t *tail) begin(ctx context.Context) error {
	end, err := t.engine.topics.end(ctx)
	if err != nil {
		return err
	}
	b := batch{id: newID(), first: maxBatch*end + 1, at: time.Now().UnixMilli()}
	_, err = t.engine.topics.append(ctx, &nats.Msg{Subject: t.subject(), Data: b.append(nil)}, 0)
	return err
}

// hear takes what the stream has stored, after another batch.
func (t *tail) hear(m stored, before uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = max(t.heard, m.seq)
	switch {
	case m.seq <= t.seq:
	case t.behind || t.seq == 0: // it is read, or about to be asked for
	case before != t.seq || !t.room():
		t.behind = true
		go t.catchUp()
	default:
		t.take(m)
	}
}

// room reports whether the sinks take more without waiting; with the lock held.
func (t *tail) room() bool {
	for _, s := range t.sinks {
		if s.Room(over) != nil {
			return false
		}
	}
	return true
}

// over is a context that is done: who waits with it does not wait.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// take moves on to a batch, with the lock held.
func (t *tail) take(m stored) {
	t.seq = m.seq
	b, err := parseBatch(m.data)
	if err != nil {
		t.engine.opts.Logger.Error("jetstream: cannot be read", "topic", t.topic, "sequence", m.seq, "error", err)
		return
	}
	t.last, t.at = b.last(), b.at
	for i := range b.items {
		msg := b.message(i, t.engine.epoch)
		t.remember(&b.items[i], msg.Offset, b.at)
		t.recent, t.times = append(t.recent, msg), append(t.times, b.at)
		for _, s := range t.sinks {
			s.Deliver(msg)
		}
	}
	t.trim(maxRecent)
	t.publisher.stored(b, m.seq)
}

// maxRecent is how many messages of a topic are kept here for those who come back.
const maxRecent = 64

func (t *tail) trim(n int) {
	if drop := len(t.recent) - n; drop > n { // not each time
		t.recent = slices.Clone(t.recent[drop:])
		t.times = slices.Clone(t.times[drop:])
	}
}

// remember keeps what must not be published again; with the lock held.
func (t *tail) remember(it *item, offset uint64, at int64) {
	if t.published == nil {
		return
	}
	for _, key := range it.keys() {
		if _, there := t.published[key]; key != "" && !there {
			t.published[key] = offset
			t.known = append(t.known, known{key, at})
		}
	}
	oldest := time.Now().Add(-t.engine.limits.IDAge).UnixMilli()
	n := 0
	for n < len(t.known) && (t.known[n].at < oldest || len(t.known)-n > t.engine.limits.MaxIDs) {
		delete(t.published, t.known[n].key)
		n++
	}
	if t.known = t.known[n:]; len(t.known) == 0 {
		t.known = nil
	}
}

const idKey, originKey = "i", "o"

// keys are what an item is known by: its id, and the command that it comes from.
func (it *item) keys() [2]string {
	var keys [2]string
	if it.id != "" {
		keys[0] = idKey + it.id
	}
	if it.origin != "" {
		keys[1] = originKey + it.origin
	}
	return keys
}

// catchUp reads what was missed.
func (t *tail) catchUp() {
	for t.engine.ctx.Err() == nil {
		for _, s := range t.sinksNow() {
			if s.Room(t.engine.ctx) != nil {
				return
			}
		}
		ctx, cancel := t.engine.bounded(t.engine.ctx)
		done, err := t.advance(ctx)
		cancel()
		if done {
			return
		}
		if err != nil {
			t.engine.opts.Logger.Warn("jetstream: topic not read", "topic", t.topic, "error", err)
			pause(t.engine.ctx, t.engine.opts.Timeout/5)
		}
	}
}

// advance reads and takes some. It is done when nothing is left that is known of;
// then nobody is behind.
func (t *tail) advance(ctx context.Context) (done bool, err error) {
	t.mu.Lock()
	from, known := t.seq+1, t.heard
	t.mu.Unlock()
	messages, more, err := t.engine.topics.read(ctx, t.subject(), from, time.Time{})
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range messages {
		if m.seq > t.seq {
			t.take(m)
		}
	}
	if !more && t.seq >= t.heard {
		t.behind = false
		return true, nil
	}
	if len(messages) == 0 { // who answers has not got it yet, or it is gone already
		t.mu.Unlock()
		last, lastErr := t.engine.topics.last(ctx, t.subject())
		pause(ctx, 10*time.Millisecond)
		t.mu.Lock()
		gone := errors.Is(lastErr, errNone) || lastErr == nil && last.seq <= t.seq
		switch {
		case !gone || t.heard != known:
			t.goneSince = time.Time{}
		case t.goneSince.IsZero():
			t.goneSince = time.Now()
		case time.Since(t.goneSince) > believeGone:
			t.behind, t.heard, t.goneSince = false, t.seq, time.Time{}
			return true, nil
		}
	}
	return false, nil
}

// believeGone is how long the stream has to say that it has nothing of what is known of,
// until that is taken to be gone: who says so may have led the stream until just now.
const believeGone = 5 * time.Second

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// refresh looks for what was missed while nothing could be heard.
func (t *tail) refresh(ctx context.Context) error {
	ctx, cancel := t.engine.bounded(ctx)
	defer cancel()
	t.loading.Lock()
	loaded := t.loaded
	t.loading.Unlock()
	if loaded {
		m, err := t.engine.topics.last(ctx, t.subject())
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		t.missed(m.seq)
	}
	t.mu.Lock()
	followed := t.roster != nil
	t.mu.Unlock()
	if followed {
		return t.readRoster(ctx, true)
	}
	return nil
}

// missed says which batch the stream has.
func (t *tail) missed(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.heard = max(t.heard, seq); t.heard > t.seq && !t.behind {
		t.behind = true
		go t.catchUp()
	}
}

func (t *tail) sinksNow() []bus.Sink {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.sinks)
}

func (t *tail) subscribe(s bus.Sink) bus.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sinks = append(t.sinks, s)
	return bus.Position{Epoch: t.engine.epoch, Offset: t.last}
}

func (t *tail) leave(s bus.Sink) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.sinks, s); i >= 0 {
		t.sinks = slices.Delete(t.sinks, i, i+1)
	}
	t.used = time.Now()
}

// use has the topic be known here for another while.
func (t *tail) use() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = time.Now()
}

// idleSince returns for how long nobody here has used the topic.
func (t *tail) idleSince(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.sinks) > 0 || t.behind || t.publisher.busy() || t.roster.hasOwn() {
		return 0
	}
	return now.Sub(t.used)
}

// renew has the stream not forget a topic that has subscribers and is silent.
func (t *tail) renew(now time.Time) {
	t.mu.Lock()
	seq, first := t.seq, t.last+1
	due := t.engine.keep > 0 && len(t.sinks) > 0 && now.Sub(time.UnixMilli(t.at)) > t.engine.keep/2
	t.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := t.engine.bounded(t.engine.ctx)
	defer cancel()
	b := batch{id: newID(), first: first, at: now.UnixMilli()}
	_, err := t.engine.topics.append(ctx, &nats.Msg{Subject: t.subject(), Data: b.append(nil)}, seq)
	if err != nil && !errors.Is(err, errMoved) { // then somebody else did
		t.engine.opts.Logger.Warn("jetstream: topic not renewed", "topic", t.topic, "error", err)
	}
}

func (t *tail) unsubscribe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sub != nil {
		_ = t.sub.Unsubscribe() // the connection may be closed
	}
	if t.roster != nil && t.roster.sub != nil {
		_ = t.roster.sub.Unsubscribe()
	}
}
