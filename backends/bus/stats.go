package bus

import (
	"slices"
	"strings"
)

// Stats are numbers of a [Bus] at one moment: of this process, whatever others
// share the engine.
type Stats struct {
	Topics        int // with subscribers
	Subscriptions int
	Slow          int // subscriptions that fell behind, and are led back
	Receipts      int // that are waited for
}

// Stats returns the numbers of this moment. It looks at each topic.
func (b *Bus) Stats() Stats {
	topics := b.all()
	s := Stats{Topics: len(topics), Receipts: int(b.receipts.count.Load())}
	for _, t := range topics {
		i := t.info()
		s.Subscriptions += i.Subscribers
		s.Slow += i.Slow
	}
	return s
}

// Subscribers returns how many subscriptions to a topic there are in this process.
func (b *Bus) Subscribers(topic string) int {
	b.mu.Lock()
	t := b.topics[topic]
	b.mu.Unlock()
	if t == nil {
		return 0
	}
	return t.info().Subscribers
}

// A TopicInfo says how a topic is that has subscribers in this process.
type TopicInfo struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"`
	// Slow is how many of them fell behind, and are led back.
	Slow int `json:"slow,omitempty"`
	// Pending is how much waits to be handed to them.
	Pending int `json:"pending,omitempty"`
	// Position is that of the last message that they are being told.
	Position
}

// Topics returns topics with subscribers in this process, up to limit: those
// whose names come after a name, in their order. More says that there are others
// behind them.
func (b *Bus) Topics(after string, limit int) (page []TopicInfo, more bool) {
	topics := slices.DeleteFunc(b.all(), func(t *topic) bool { return t.name <= after })
	slices.SortFunc(topics, func(t, u *topic) int { return strings.Compare(t.name, u.name) })
	if more = len(topics) > limit; more {
		topics = topics[:limit]
	}
	page = make([]TopicInfo, len(topics))
	for i, t := range topics {
		page[i] = t.info()
	}
	return page, more
}

// A SlowInfo is a subscriber that fell behind.
type SlowInfo struct {
	Topic string `json:"topic"`
	// Session names it as in logs: transport.Session.LogID.
	Session string `json:"session"`
	// Missing is how many messages it was not sent yet.
	Missing uint64 `json:"missing"`
}

// Slow returns up to limit subscribers that fell behind. More says that there are
// others.
func (b *Bus) Slow(limit int) (all []SlowInfo, more bool) {
	for _, t := range b.all() {
		if t.slow.Load() == 0 {
			continue
		}
		t.mu.Lock()
		subs, at := slices.Clone(t.subs), t.at
		t.mu.Unlock()
		for _, s := range subs {
			missing, slow := s.missing(at)
			switch {
			case !slow:
			case len(all) == limit:
				return all, true
			default:
				all = append(all, SlowInfo{t.name, s.client.stream.Session().LogID(), missing})
			}
		}
	}
	return all, false
}

// missing returns how far the subscriber is behind a position, if it fell behind.
func (s *subscription) missing(at Position) (messages uint64, slow bool) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.gone || s.follow == nil || s.follow.cancel == nil || s.follow.arrived {
		return 0, false
	}
	was := s.follow.at
	if was.Epoch != at.Epoch || was.Offset > at.Offset {
		return 0, true
	}
	return at.Offset - was.Offset, true
}

func (b *Bus) all() []*topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*topic, 0, len(b.topics))
	for _, t := range b.topics {
		all = append(all, t)
	}
	return all
}

func (t *topic) info() TopicInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TopicInfo{t.name, len(t.subs), int(t.slow.Load()), t.backlog, t.at}
}

// MemoryStats are numbers of a [Memory] at one moment.
type MemoryStats struct {
	Topics       int
	Members      int // present, counted in each topic
	HistoryBytes int // of all histories
	Messages     int // in them
}

// Stats returns the numbers of this moment. It looks at each topic.
func (m *Memory) Stats() MemoryStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := MemoryStats{Topics: len(m.topics), HistoryBytes: m.kept.bytes}
	for _, r := range m.topics {
		s.Members += len(r.roster.members)
		s.Messages += len(r.history)
	}
	return s
}
