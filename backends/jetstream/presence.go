package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A roster is who is present in a topic, everywhere. It is there once somebody here
// asked, and follows the stream from then on.
type roster struct {
	looking chan struct{} // held, with a value in it, while the stream is read
	loaded  bool
	sub     *nats.Subscription
	seats   []*seat
	index   map[string]*seat // by the member's id
}

// A seat is that of a member.
type seat struct {
	bus.Member
	life  string // of the process that it is at
	seq   uint64 // of what the stream says of it
	gone  bool   // it is not present; known until the stream was read
	parts bool   // it is about to say that it is gone
	place int    // in roster.seats
}

// A presence is what the stream has of a member. One that is gone is empty.
type presence struct {
	ID   string          `json:"id"`
	Life string          `json:"life"`
	User string          `json:"user,omitempty"`
	Info json.RawMessage `json:"info,omitempty"`
}

// goneFor is how long the stream says that a member is gone, for those that missed
// it.
const goneFor = "1m"

func (t *tail) memberSubject(id string) string {
	return t.engine.opts.subject("present", t.token, token(id))
}

// readRoster has the roster be known here; again: it is read once more, and the sinks
// are told what is news.
func (t *tail) readRoster(ctx context.Context, again bool) error {
	t.mu.Lock()
	if t.roster == nil {
		t.roster = &roster{looking: make(chan struct{}, 1), index: make(map[string]*seat)}
	}
	r := t.roster
	loaded := r.loaded
	t.mu.Unlock()
	if loaded && !again {
		return nil
	}
	select {
	case r.looking <- struct{}{}:
		defer func() { <-r.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	t.mu.Lock()
	loaded, followed := r.loaded, r.sub != nil
	t.mu.Unlock()
	if loaded && !again {
		return nil
	}
	if !followed {
		sub, err := t.engine.opts.Conn.ChanSubscribe(t.engine.opts.subject("seen", t.token, "*"), t.engine.came)
		if err != nil {
			return err
		}
		t.mu.Lock()
		r.sub = sub
		t.mu.Unlock()
	}
	all, end, err := t.present(ctx, again)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	there := make(map[string]bool, len(all))
	for _, m := range all {
		there[t.seen(m)] = true
	}
	for _, s := range append([]*seat(nil), r.seats...) {
		if s.gone || !there[s.ID] && s.seq <= end {
			t.remove(s) // the stream has forgotten it
		}
	}
	r.loaded = true
	return nil
}

// present reads what the stream has of all members, and if that matters, where it
// ended before that.
func (t *tail) present(ctx context.Context, again bool) (all []stored, end uint64, err error) {
	subject := t.engine.opts.subject("present", t.token, "*")
	if again {
		if end, err = t.engine.presence.end(ctx); err != nil {
			return nil, 0, err
		}
	}
	newest, err := t.engine.presence.last(ctx, subject)
	if errors.Is(err, errNone) {
		return nil, end, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for from := uint64(1); ; {
		page, more, err := t.engine.presence.read(ctx, subject, from, time.Time{})
		if err != nil {
			return nil, 0, err
		}
		all = append(all, page...)
		if n := len(page); n > 0 {
			from = page[n-1].seq + 1
		}
		switch {
		case more:
		case from > newest.seq:
			return all, end, nil
		default: // who answers is behind, or it is gone already
			if newest, err = t.engine.presence.last(ctx, subject); errors.Is(err, errNone) {
				return all, end, nil
			} else if err != nil {
				return nil, 0, err
			}
			pause(ctx, 5*time.Millisecond)
			if ctx.Err() != nil {
				return nil, 0, ctx.Err()
			}
		}
	}
}

// saw takes what the stream says of a member.
func (t *tail) saw(token string, m stored) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roster == nil {
		return
	}
	m.subject = t.engine.opts.subject("present", t.token, token)
	t.seen(m)
}

// seen takes what the stream says of a member, and returns its id; with the lock
// held.
func (t *tail) seen(m stored) (id string) {
	r := t.roster
	if len(m.data) == 0 {
		id = untoken(m.subject[len(t.engine.opts.subject("present", t.token))+1:])
		s := r.index[id]
		switch {
		case s == nil && !r.loaded:
			t.seat(&seat{Member: bus.Member{ID: id}, seq: m.seq, gone: true})
		case s != nil && m.seq > s.seq:
			s.seq = m.seq
			t.remove(s)
		}
		return id
	}
	var p presence
	if json.Unmarshal(m.data, &p) != nil {
		t.engine.opts.Logger.Error("jetstream: a member cannot be read", "topic", t.topic, "sequence", m.seq)
		return ""
	}
	member := bus.Member{ID: p.ID, Info: p.Info, User: p.User}
	s := r.index[p.ID]
	if s != nil && m.seq <= s.seq {
		return p.ID
	}
	if !t.engine.lives.alive(p.Life) {
		go t.clear(p.ID, m.seq)
		return p.ID
	}
	news := s == nil || s.gone || !bytes.Equal(s.Info, p.Info)
	if s == nil {
		t.seat(&seat{Member: member, life: p.Life, seq: m.seq})
	} else {
		s.Member, s.life, s.seq, s.gone, s.parts = member, p.Life, m.seq, false, false
	}
	if news {
		for _, sink := range t.sinks {
			sink.Joined(member)
		}
	}
	return p.ID
}

func (t *tail) seat(s *seat) {
	r := t.roster
	s.place = len(r.seats)
	r.seats = append(r.seats, s)
	r.index[s.ID] = s
}

// remove takes a member out; the last one takes its place.
func (t *tail) remove(s *seat) {
	r := t.roster
	last := len(r.seats) - 1
	r.seats[s.place] = r.seats[last]
	r.seats[s.place].place = s.place
	r.seats[last] = nil
	r.seats = r.seats[:last]
	delete(r.index, s.ID)
	if s.gone {
		return
	}
	evicted := s.life == t.engine.lives.own && !s.parts
	for _, sink := range t.sinks {
		sink.Left(s.Member)
		if evicted {
			sink.Evicted(s.Member)
		}
	}
}

// hasOwn reports whether members of this process are present, for a tail that is not
// used otherwise.
func (r *roster) hasOwn() bool { return r != nil && len(r.seats) > 0 }

// join makes a member present.
func (t *tail) join(ctx context.Context, m bus.Member) error {
	if err := t.readRoster(ctx, false); err != nil {
		return err
	}
	t.mu.Lock()
	s := t.roster.index[m.ID]
	same := s != nil && !s.gone && s.life == t.engine.lives.own && s.User == m.User && bytes.Equal(s.Info, m.Info)
	t.mu.Unlock()
	if same {
		return nil // a client that goes on
	}
	data, err := json.Marshal(presence{m.ID, t.engine.lives.own, m.User, m.Info})
	if err != nil {
		return err
	}
	subject := t.memberSubject(m.ID)
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		ack, err := t.engine.presence.js.PublishMsg(once, &nats.Msg{Subject: subject, Data: data})
		cancel()
		if err == nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.seen(stored{subject: subject, seq: ack.Sequence, data: data})
			return nil
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return err
		}
	}
}

// part undoes join, unless the member is at another process by now.
func (t *tail) part(ctx context.Context, id string) error {
	if err := t.readRoster(ctx, false); err != nil {
		return err
	}
	t.mu.Lock()
	s := t.roster.index[id]
	ours, seq := s != nil && !s.gone && s.life == t.engine.lives.own, uint64(0)
	if ours {
		s.parts, seq = true, s.seq
	}
	t.mu.Unlock()
	if !ours {
		return nil
	}
	return t.dismiss(ctx, id, seq)
}

// dismiss says that a member is gone of whom the stream has nothing newer.
func (t *tail) dismiss(ctx context.Context, id string, seq uint64) error {
	msg := &nats.Msg{Subject: t.memberSubject(id), Header: nats.Header{"Nats-TTL": {goneFor}}}
	next, err := t.engine.presence.insist(ctx, msg, seq)
	if errors.Is(err, errMoved) {
		return nil
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen(stored{subject: msg.Subject, seq: next})
	return nil
}

// clear removes a member whose process is dead from the stream.
func (t *tail) clear(id string, seq uint64) {
	ctx, cancel := t.engine.bounded(t.engine.ctx)
	defer cancel()
	if err := t.dismiss(ctx, id, seq); err != nil {
		t.engine.opts.Logger.Warn("jetstream: member of a dead process not removed", "topic", t.topic, "error", err)
	}
}

// bury removes the members of a process that is dead.
func (t *tail) bury(life string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roster == nil {
		return
	}
	for _, s := range append([]*seat(nil), t.roster.seats...) {
		if s.life == life && !s.gone {
			t.remove(s)
			go t.clear(s.ID, s.seq)
		}
	}
}

// members returns some of those present, and how many there are.
func (t *tail) members(ctx context.Context, limit int) ([]bus.Member, int, error) {
	if err := t.readRoster(ctx, false); err != nil {
		return nil, 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var some []bus.Member
	count := 0
	for _, s := range t.roster.seats {
		if s.gone {
			continue
		}
		if count++; len(some) < limit {
			some = append(some, s.Member)
		}
	}
	return some, count, nil
}

// dropped reports whether something that came for the topic was thrown away since
// the last call.
func (t *tail) dropped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, sub := range []*nats.Subscription{t.sub, t.rosterSub()} {
		if sub != nil {
			d, _ := sub.Dropped()
			n += d
		}
	}
	more := n > t.lostBefore
	t.lostBefore = n
	return more
}

func (t *tail) rosterSub() *nats.Subscription {
	if t.roster == nil {
		return nil
	}
	return t.roster.sub
}
