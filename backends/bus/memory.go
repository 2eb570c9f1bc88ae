package bus

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is the [Engine] of a single process. It has one epoch for all topics
// and all of its life. A topic that was removed for being idle and is used
// again goes on above every offset that a removed topic had, so an old
// position is never mistaken for a new one.
//
// All methods may be called from many goroutines at once; none of them blocks.
type Memory struct {
	opts  Options
	epoch string

	mu      sync.Mutex
	topics  map[string]*record
	floor   uint64 // the highest offset of any topic removed
	kept    timeline
	seen    idMemory
	done    idMemory             // commands of clients, where there is a journal
	stale   map[string][]*record // members from before that have not joined again
	journal Journal              // nil: none
	closed  bool                 // the next process goes on
	cleared time.Time            // when idle topics were last removed to make room
	timer   *time.Timer
	armed   bool
}

// record is one topic of a Memory.
type record struct {
	name    string
	rule    TopicRule
	last    uint64
	history []*entry // ascending, without gaps
	bytes   int
	sinks   []Sink
	roster  roster
	used    time.Time // when it was last published to, or lost its last sink
}

// sweepInterval is how often a Memory looks for what is too old. It affects
// the use of memory only: history that is too old is never returned.
const sweepInterval = time.Minute

// NewMemory returns an engine without topics. Nil options are the defaults.
// Several buses may share it.
func NewMemory(opts *Options) *Memory {
	o := opts.withDefaults()
	return &Memory{
		opts:   o,
		epoch:  newEpoch(),
		topics: make(map[string]*record),
		seen:   idMemory{max: o.MaxIDs, age: o.IDAge},
		done:   idMemory{max: o.MaxIDs, age: commandAge},
	}
}

// Publish implements [Engine].
func (m *Memory) Publish(_ context.Context, topic string, p Publication) (Published, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if at, ok := m.done.lookup(now, topic, p.Origin.Key()); ok {
		return Published{Position: at}, nil
	}
	if at, ok := m.seen.lookup(now, topic, p.ID); ok {
		return Published{Position: at, Duplicate: true}, nil
	}
	if m.closed {
		return Published{}, errClosed
	}
	r, err := m.record(topic, now)
	if err != nil {
		return Published{}, err
	}
	r.last++
	r.used = now
	msg := Message{Position: Position{m.epoch, r.last}, Key: p.Key, User: p.User, Data: p.Data, Receipt: p.request()}.encoded(topic)
	m.keep(r, msg, now)
	m.seen.remember(now, topic, p.ID, msg.Position)
	m.journalMessage(r, msg, p, now)
	for _, s := range r.sinks {
		s.Deliver(msg)
	}
	return Published{Position: msg.Position}, nil
}

// Rewind implements [Rewinder], where there is a journal.
func (m *Memory) Rewind(_ context.Context, topic string, command Origin) (at Position, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.done.queue {
		if q.topic != topic || !command.Before(q.id) {
			continue
		}
		if first := m.done.at[q.publishedID]; !ok || first.Offset <= at.Offset {
			at, ok = Position{first.Epoch, first.Offset - 1}, true
		}
	}
	return at, ok, nil
}

// keep adds a message to the histories, within all limits.
func (m *Memory) keep(r *record, msg Message, now time.Time) {
	if r.rule.History < 0 {
		return
	}
	e := &entry{Message: msg, at: now, record: r}
	r.history = append(r.history, e)
	r.bytes += e.size()
	m.kept.add(e)
	m.trim(r, now)
	for m.kept.bytes > m.opts.MaxHistoryBytes {
		m.opts.Trace.limited("MaxHistoryBytes")
		m.dropFirst(m.kept.oldest.record)
	}
}

// trim applies the topic's own limits.
func (m *Memory) trim(r *record, now time.Time) {
	for len(r.history) > 0 {
		tooMany := len(r.history) > r.rule.History
		tooBig := r.rule.Bytes > 0 && r.bytes > r.rule.Bytes
		tooOld := r.rule.Age > 0 && now.Sub(r.history[0].at) >= r.rule.Age
		if !tooMany && !tooBig && !tooOld {
			return
		}
		m.dropFirst(r)
	}
}

func (m *Memory) dropFirst(r *record) {
	e := r.history[0]
	r.bytes -= e.size()
	m.kept.remove(e)
	r.history[0] = nil
	if r.history = r.history[1:]; len(r.history) == 0 {
		r.history = nil
	}
}

// Bytes returns the bytes of all histories.
func (m *Memory) Bytes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.bytes
}

// Read implements [Engine]. A topic that does not exist is not made.
func (m *Memory) Read(_ context.Context, topic string, q Query) (Replay, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.topics[topic]
	if r == nil {
		r = &record{last: m.floor}
	}
	m.trim(r, time.Now())
	first := r.last + 1 - uint64(len(r.history)) // the oldest that is kept
	from, recovered := first, true
	switch {
	case q.Since == nil:
		from = r.last + 1 - uint64(min(max(0, q.Last), len(r.history)))
	case q.Since.Epoch == m.epoch && q.Since.Offset <= r.last && q.Since.Offset >= first-1:
		from = q.Since.Offset + 1
	default:
		recovered = false
	}
	replay := Replay{Position: Position{m.epoch, from - 1}, Recovered: recovered}
	if from <= r.last {
		kept := r.history[from-first:]
		replay.Messages = make([]Message, len(kept))
		for i, e := range kept {
			replay.Messages[i] = e.Message
		}
	}
	return replay, nil
}

// Subscribe implements [Engine].
func (m *Memory) Subscribe(_ context.Context, topic string, s Sink) (Position, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.record(topic, time.Now())
	if err != nil {
		return Position{}, nil, err
	}
	r.sinks = append(r.sinks, s)
	return Position{m.epoch, r.last}, func() { m.unsubscribe(r, s) }, nil
}

func (m *Memory) unsubscribe(r *record, s Sink) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(r.sinks, s); i >= 0 {
		r.sinks = slices.Delete(r.sinks, i, i+1)
		r.used = time.Now()
	}
}

// Join implements [Engine].
func (m *Memory) Join(_ context.Context, topic string, member Member) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.record(topic, time.Now())
	if err != nil {
		return err
	}
	m.unstale(r, member.ID)
	if !r.roster.put(member) {
		return nil // a client that goes on
	}
	m.journalMember(topic, member, true)
	for _, s := range r.sinks {
		s.Joined(member)
	}
	return nil
}

func (m *Memory) unstale(r *record, id string) {
	if topics := m.stale[id]; topics != nil {
		m.stale[id] = slices.DeleteFunc(topics, func(o *record) bool { return o == r })
	}
}

// Leave implements [Engine].
func (m *Memory) Leave(_ context.Context, topic string, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.topics[topic]
	if r == nil || m.closed {
		return nil
	}
	m.leave(r, id)
	return nil
}

// leave takes a member out of a topic.
func (m *Memory) leave(r *record, id string) {
	if member, ok := r.roster.remove(id); ok {
		r.used = time.Now()
		m.journalMember(r.name, member, false)
		for _, s := range r.sinks {
			s.Left(member)
		}
	}
}

// Members implements [Engine].
func (m *Memory) Members(_ context.Context, topic string, limit int) ([]Member, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.topics[topic]
	if r == nil {
		return nil, 0, nil
	}
	all := r.roster.members
	return slices.Clone(all[:min(limit, len(all))]), len(all), nil
}

// ---- topics come and go

// record returns the topic, which it makes if need be.
func (m *Memory) record(topic string, now time.Time) (*record, error) {
	if r := m.topics[topic]; r != nil {
		return r, nil
	}
	if len(m.topics) >= m.opts.MaxTopics && now.Sub(m.cleared) >= time.Second {
		m.cleared = now // not more often: it looks at every topic
		m.sweep(now, 0)
	}
	if len(m.topics) >= m.opts.MaxTopics {
		m.opts.Trace.limited("MaxTopics")
		return nil, &Error{Code: TooManyTopics, Text: "the server has too many topics"}
	}
	r := &record{name: topic, rule: m.opts.rule(topic), last: m.floor, used: now}
	m.topics[topic] = r
	m.arm()
	return r, nil
}

// sweep drops what is too old, and topics idle for at least this long.
func (m *Memory) sweep(now time.Time, idle time.Duration) {
	m.seen.expire(now)
	m.done.expire(now)
	for name, r := range m.topics {
		m.trim(r, now)
		if len(r.sinks)+len(r.history)+len(r.roster.members) == 0 && now.Sub(r.used) >= idle {
			m.floor = max(m.floor, r.last)
			delete(m.topics, name)
		}
	}
}

// arm starts the timer of the next sweep; there is none while there is nothing
// to sweep.
func (m *Memory) arm() {
	switch {
	case m.armed:
		return
	case m.timer == nil:
		m.timer = time.AfterFunc(sweepInterval, m.tick)
	default:
		m.timer.Reset(sweepInterval)
	}
	m.armed = true
}

func (m *Memory) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(time.Now(), m.opts.TopicAge)
	m.armed = false
	if len(m.topics)+len(m.seen.at) > 0 {
		m.arm()
	}
}
