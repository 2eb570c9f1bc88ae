package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Load takes a record that an engine emitted or kept, in their order, before
// this one is used. The record is not kept. To know it already does no harm.
func (m *Memory) Load(record []byte) error {
	head, data, ok := bytes.Cut(record, []byte("\n"))
	var s saved
	if err := json.Unmarshal(head, &s); err != nil || !ok {
		return errors.New("bus: a record that is none")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at, position := time.UnixMilli(s.At), Position{m.epoch, s.Offset}
	switch s.Kind {
	case savedEpoch:
		m.epoch, m.floor = s.Epoch, max(m.floor, s.Offset)
	case savedID:
		m.seen.load(publishedID{s.Topic, s.ID}, position, at)
	case savedCommand:
		m.done.load(publishedID{s.Topic, s.Origin}, position, at)
	case savedLast, savedMessage, savedJoin, savedLeave:
		if err := m.opts.checkName(s.Topic); err != nil {
			return err
		}
		m.loadTopic(&s, m.loaded(s.Topic, at), at, data)
	default:
		return fmt.Errorf("bus: a record of the unknown kind %q", s.Kind)
	}
	return nil
}

// loaded returns the topic, which counts as used at a time: also one too many,
// for it was there before.
func (m *Memory) loaded(topic string, at time.Time) *record {
	r := m.topics[topic]
	if r == nil {
		r = &record{name: topic, rule: m.opts.rule(topic), used: at}
		m.topics[topic] = r
		m.arm()
	}
	return r
}

func (m *Memory) loadTopic(s *saved, r *record, at time.Time, data []byte) {
	switch s.Kind {
	case savedLast:
		r.last = max(r.last, s.Offset)
	case savedMessage:
		m.loadMessage(s, r, at, data)
	case savedJoin:
		r.roster.put(Member{ID: s.ID, Info: slices.Clone(data), User: s.User})
		m.isStale(s.ID, r)
	case savedLeave:
		r.roster.remove(s.ID)
	}
}

func (m *Memory) loadMessage(s *saved, r *record, at time.Time, data []byte) {
	if s.Offset <= r.last {
		return
	}
	for s.Offset != r.last+1 && len(r.history) > 0 {
		m.dropFirst(r) // there are no gaps in a history
	}
	r.last, r.used = s.Offset, at
	msg := Message{Position: Position{m.epoch, s.Offset}, Key: s.Key, User: s.User, Data: data, Receipt: (&Publication{ID: s.ID, Receipts: s.Receipts}).request()}.encoded(r.name)
	m.keep(r, msg, at)
	if s.ID != "" {
		m.seen.load(publishedID{r.name, s.ID}, msg.Position, at.Add(m.opts.IDAge))
	}
	if s.Origin != "" {
		m.done.load(publishedID{r.name, s.Origin}, msg.Position, at.Add(commandAge))
	}
}

// isStale notes that a member may not be there any more.
func (m *Memory) isStale(id string, r *record) {
	if m.stale == nil {
		m.stale = make(map[string][]*record)
	}
	if !slices.Contains(m.stale[id], r) {
		m.stale[id] = append(m.stale[id], r)
	}
}

// Loaded is called when all clients that were loaded have been resumed: members
// that are not among them leave.
func (m *Memory) Loaded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, topics := range m.stale {
		for _, r := range topics {
			m.leave(r, id)
		}
	}
	m.stale = nil
}

// NewEpoch gives all topics a new epoch, for messages may be lost that clients
// have seen: their positions then name no place any more, and they are told. It
// is called after Load and before the engine is used.
func (m *Memory) NewEpoch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch = newEpoch()
	for e := m.kept.oldest; e != nil; e = e.next {
		e.Epoch = m.epoch
	}
	for k, at := range m.seen.at {
		m.seen.at[k] = Position{m.epoch, at.Offset}
	}
	m.done.at, m.done.queue = nil, nil // their sessions are gone
}

func newEpoch() string { return uuid.NewString()[24:] } // 48 random bits
