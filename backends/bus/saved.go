package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// A Journal keeps what a [Memory] comes to know for the next process.
type Journal interface {
	// Append keeps a record, behind all before. It does not block, and keeps a
	// copy.
	Append(record []byte)
	// Sync waits until all that was appended is as safe as the journal makes it.
	Sync(ctx context.Context) error
}

// A saved is the head of a record, in JSON: a new field is one that older
// records leave out. What a message says, or a member of itself, follows on a
// line of its own.
type saved struct {
	Kind     savedKind `json:"k"`
	Topic    string    `json:"t,omitempty"`
	Epoch    string    `json:"e,omitempty"`
	Offset   uint64    `json:"o,omitempty"`
	At       int64     `json:"at,omitempty"` // in ms since 1970
	Key      string    `json:"key,omitempty"`
	User     string    `json:"u,omitempty"`
	ID       string    `json:"id,omitempty"`
	Origin   string    `json:"by,omitempty"`
	Receipts string    `json:"r,omitempty"` // with the ID
}

type savedKind string

const (
	savedEpoch   savedKind = "epoch" // with the floor as offset
	savedLast    savedKind = "topic" // up to an offset
	savedMessage savedKind = "message"
	savedID      savedKind = "id"
	savedCommand savedKind = "command"
	savedJoin    savedKind = "join"
	savedLeave   savedKind = "leave"
)

// commandAge is how long a command is known whose session may not be stored yet.
const commandAge = time.Hour

var errClosed = &Error{Code: Busy, Text: "the server is restarted"}

// Key returns a name for the command; empty: it is of no client.
func (o *Origin) Key() string {
	if o.Number == 0 {
		return ""
	}
	return o.stream() + strconv.FormatUint(o.Number, 10)
}

// stream begins the names of all commands of the stream.
func (o *Origin) stream() string { return o.Session + " " + o.Stream + " " }

// Before reports whether the command with this name is a later one of the same
// stream.
func (o *Origin) Before(key string) bool {
	number, same := strings.CutPrefix(key, o.stream())
	n, err := strconv.ParseUint(number, 10, 64)
	return same && err == nil && n > o.Number
}

func (s *saved) encoded(data []byte) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers: it cannot be
	}
	return append(append(b, '\n'), data...)
}

// ---- while it runs

// Keep has everything from now on be kept in the journal. It is called before
// the engine is used.
func (m *Memory) Keep(j Journal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.journal = j
}

// Sync implements [Syncer].
func (m *Memory) Sync(ctx context.Context) error {
	m.mu.Lock()
	j := m.journal
	m.mu.Unlock()
	if j == nil {
		return nil
	}
	return j.Sync(ctx)
}

func (m *Memory) journalMessage(r *record, msg Message, p Publication, now time.Time) {
	if m.journal == nil {
		return
	}
	by := p.Origin.Key()
	m.done.remember(now, r.name, by, msg.Position)
	s := saved{Kind: savedMessage, Topic: r.name, Offset: msg.Offset, At: now.UnixMilli(), Key: p.Key, User: p.User, ID: p.ID, Origin: by, Receipts: p.Receipts}
	m.journal.Append(s.encoded(msg.Data))
}

func (m *Memory) journalMember(topic string, member Member, joined bool) {
	if m.journal == nil {
		return
	}
	s := saved{Kind: savedJoin, Topic: topic, ID: member.ID, User: member.User}
	if !joined {
		s.Kind, member.Info = savedLeave, nil
	}
	m.journal.Append(s.encoded(member.Info))
}

// Dump emits records that have Load come to know all that this engine does. Last
// says that another goes on from there: nothing is published here any more.
func (m *Memory) Dump(emit func(record []byte), last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = m.closed || last
	now := time.Now()
	m.seen.expire(now)
	m.done.expire(now)
	put := func(s saved, data []byte) { emit(s.encoded(data)) }
	put(saved{Kind: savedEpoch, Epoch: m.epoch, Offset: m.floor}, nil)
	for _, r := range m.topics {
		m.trim(r, now)
		put(saved{Kind: savedLast, Topic: r.name, Offset: r.last - uint64(len(r.history)), At: r.used.UnixMilli()}, nil)
	}
	for e := m.kept.oldest; e != nil; e = e.next {
		s := saved{Kind: savedMessage, Topic: e.record.name, Offset: e.Offset, At: e.at.UnixMilli(), Key: e.Key, User: e.User}
		if e.Receipt != nil {
			s.Receipts, s.ID = e.Receipt.To, e.Receipt.ID
		}
		put(s, e.Data)
	}
	for _, q := range m.seen.queue {
		put(saved{Kind: savedID, Topic: q.topic, ID: q.id, Offset: m.seen.at[q.publishedID].Offset, At: q.until.UnixMilli()}, nil)
	}
	for _, q := range m.done.queue {
		put(saved{Kind: savedCommand, Topic: q.topic, Origin: q.id, Offset: m.done.at[q.publishedID].Offset, At: q.until.UnixMilli()}, nil)
	}
	for _, r := range m.topics {
		for _, member := range r.roster.members {
			put(saved{Kind: savedJoin, Topic: r.name, ID: member.ID, User: member.User}, member.Info)
		}
	}
}
