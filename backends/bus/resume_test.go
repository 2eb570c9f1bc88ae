package bus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A shelf keeps sessions between two houses.
type shelf struct {
	mu    sync.Mutex
	saved map[string][]byte
	err   error // of Save
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) Load(context.Context, string) ([]byte, uint64, error) {
	return nil, 0, transport.ErrNoSession
}

func (s *shelf) Save(_ context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[id] = snapshot
	return revision + 1, s.err
}

func (s *shelf) Delete(context.Context, string, uint64) error { return nil }

// pages is a journal, and what a Memory emits.
type pages struct{ records [][]byte }

func (p *pages) Append(r []byte)            { p.records = append(p.records, slices.Clone(r)) }
func (p *pages) Sync(context.Context) error { return nil }

func loaded(t testing.TB, opts *Options, records [][]byte) *Memory {
	m := NewMemory(opts)
	for _, r := range records {
		if err := m.Load(r); err != nil {
			t.Fatalf("%v: %s", err, r)
		}
	}
	return m
}

// restart has a house and all that are in it go on in the next process, whose
// bus has only what this one's has emitted.
func (h *house) restart(opts *Options, peers ...*peer) *house {
	h.t.Helper()
	store := &shelf{saved: map[string][]byte{}}
	if _, err := h.manager.Suspend(context.Background(), transport.Suspension{Store: store}); err != nil {
		h.t.Fatal(err)
	}
	var dumped pages
	h.bus.engine.(*Memory).Dump(dumped.Append, true)
	next := Options{}
	if opts != nil {
		next = *opts
	}
	m := loaded(h.t, &next, dumped.records)
	next.Engine = m
	again := newHouse(h.t, &next)
	for id, snapshot := range store.saved {
		if _, err := again.manager.Restore(context.Background(), id, snapshot, 0); err != nil {
			h.t.Fatal(err)
		}
	}
	m.Loaded()
	for _, p := range peers {
		s, err := again.manager.Lookup(context.Background(), p.session.ID())
		if err != nil {
			h.t.Fatal(err)
		}
		p.house, p.session = again, s
	}
	synctest.Wait()
	return again
}

func TestRestart(t *testing.T) {
	t.Run("subscribers get what follows what they had, and nobody comes or goes", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		ann, ben := h.join(), h.join()
		ann.send(`{"op":"subscribe","topic":"t","presence":{"name":"ann"}}`)
		ben.send(`{"op":"subscribe","topic":"t","presence":{"name":"ben"}}`)
		ann.send(`{"op":"publish","topic":"t","data":1,"id":"once"}`)
		ann.pull()
		ann.frames = nil
		ben.pull()
		ben.frames = nil
		h = h.restart(nil, ann, ben)
		ann.want("nothing happened")
		ben.want("nothing happened")
		ann.send(`{"op":"publish","topic":"t","data":1,"id":"once"}`, `{"op":"publish","topic":"t","data":2}`)
		ann.want("ids are known, and positions go on",
			`{"type":"published","topic":"t","offset":1,"duplicate":true}`,
			`{"type":"published","topic":"t","offset":2}`,
			`{"type":"message","topic":"t","offset":2,"data":2}`)
		ben.want("the next", `{"type":"message","topic":"t","offset":2,"data":2}`)
		if r, err := h.bus.History(t.Context(), "t", Query{Last: 10}); err != nil || len(r.Messages) != 2 {
			t.Errorf("history %v, %v", r, err)
		}
		if _, n, _ := h.bus.Presence(t.Context(), "t"); n != 2 {
			t.Errorf("%d members", n)
		}
	}))
	t.Run("what its client published after it had asked for a subscription comes, whoever published it", bubble(func(t *testing.T) {
		opts := &Options{Topics: []TopicRule{{Pattern: "forgetful", History: -1}}}
		for ask, want := range map[[2]string][]string{
			{"forgetful"}: {
				`{"type":"published","topic":"forgetful","offset":2}`,
				`{"type":"subscribed","topic":"forgetful","epoch":"E","offset":3,"recovered":false}`,
			},
			{"t"}: {
				`{"type":"published","topic":"t","offset":2}`,
				`{"type":"subscribed","topic":"t","epoch":"E","offset":1,"recovered":true}`,
				`{"type":"message","topic":"t","offset":2,"data":"its own"}`,
				`{"type":"message","topic":"t","offset":3,"data":"another"}`,
			},
			{"t", `,"history":1`}: {
				`{"type":"published","topic":"t","offset":2}`,
				`{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}`,
				`{"type":"message","topic":"t","offset":1,"data":"old"}`,
				`{"type":"message","topic":"t","offset":2,"data":"its own"}`,
				`{"type":"message","topic":"t","offset":3,"data":"another"}`,
			},
		} {
			h := newHouse(t, opts)
			ann := h.join()
			h = h.restart(opts, ann)
			m := h.bus.engine.(*Memory)
			m.Keep(&pages{}) // it knows commands
			first := Origin{ann.session.ID(), "", 2}
			for _, p := range []Publication{{Data: []byte(`"old"`)}, {Data: []byte(`"its own"`), Origin: first}, {Data: []byte(`"another"`)}} {
				m.Publish(t.Context(), ask[0], p)
			}
			ann.send(`{"op":"subscribe","topic":"`+ask[0]+`"`+ask[1]+`}`, `{"op":"publish","topic":"`+ask[0]+`","data":"its own"}`)
			ann.want("the same as if one process had done both", want...)
		}
	}))
	t.Run("who does not come back has left", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		ann, ben := h.join(), h.join()
		ann.send(`{"op":"subscribe","topic":"t","presence":{"name":"ann"}}`)
		ben.send(`{"op":"subscribe","topic":"t","presence":{"name":"ben"}}`)
		var dumped pages
		h.bus.engine.(*Memory).Dump(dumped.Append, false)
		m := loaded(t, nil, dumped.records)
		m.Join(t.Context(), "t", Member{ID: memberOf(ann), Info: []byte(`{"name":"ann"}`)})
		m.Loaded()
		if members, _, _ := m.Members(t.Context(), "t", 10); len(members) != 1 || members[0].ID != memberOf(ann) {
			t.Errorf("members %v", members)
		}
	}))
	t.Run("one that was behind is led on", bubble(func(t *testing.T) {
		opts := &Options{Topics: []TopicRule{{Pattern: "*", Slow: DropOldest}}}
		h := newHouse(t, opts)
		slow := h.joinWith(transport.Params{MaxOutbox: 300})
		slow.send(`{"op":"subscribe","topic":"t"}`)
		for n := range 10 {
			h.bus.Publish(t.Context(), "t", []byte{byte('0' + n)}, nil)
		}
		synctest.Wait()
		h.restart(opts, slow)
		slow.pull()
		if got := strings.Join(slow.frames, " "); strings.Count(got, `"type":"message"`) != 10 || strings.Contains(got, "dropped") {
			t.Errorf("got %s", got)
		}
	}))
	t.Run("nothing is published in the meantime", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		h.bus.engine.(*Memory).Dump(func([]byte) {}, true)
		var e *Error
		if _, err := h.bus.Publish(t.Context(), "t", []byte("1"), nil); !errors.As(err, &e) || e.Code != Busy {
			t.Errorf("got %v", err)
		}
	}))
}

// A closedFor is an engine in which one topic cannot be had just now.
type closedFor struct {
	Engine
	topic string
	err   error
}

func (c *closedFor) Subscribe(ctx context.Context, topic string, s Sink) (Position, func(), error) {
	if topic == c.topic && c.err != nil {
		return Position{}, nil, c.err
	}
	return c.Engine.Subscribe(ctx, topic, s)
}

func TestResumeWaitsForTopics(t *testing.T) {
	for code, waits := range map[Code]bool{Unavailable: true, Busy: true, TooManyTopics: true, Internal: false} {
		t.Run(string(code), bubble(func(t *testing.T) {
			m := NewMemory(nil)
			h := newHouse(t, &Options{Engine: m})
			ann := h.join()
			ann.send(`{"op":"subscribe","topic":"a","presence":{}}`, `{"op":"subscribe","topic":"b"}`, `{"op":"subscribe","topic":"c"}`)
			ann.pull()
			ann.frames = nil
			store := &shelf{saved: map[string][]byte{}}
			if _, err := h.manager.Suspend(t.Context(), transport.Suspension{Store: store}); err != nil {
				t.Fatal(err)
			}
			id := ann.session.ID()
			snapshot := store.saved[id]

			engine := &closedFor{m, "b", &Error{Code: code}}
			next := &house{t: t, bus: New(&Options{Engine: engine})}
			next.manager = transport.NewManager(&transport.Options{Backend: next.bus, Store: store})
			defer next.manager.Shutdown(context.Background())
			s, err := next.manager.Restore(t.Context(), id, snapshot, 1)
			if !waits {
				if err != nil || s.Err() == nil {
					t.Errorf("got %v, %v", s, err)
				}
				return
			}
			if !errors.As(err, new(*transport.Suspended)) {
				t.Fatalf("got %v", err)
			}
			h.bus.Publish(t.Context(), "b", []byte("1"), nil)
			engine.err = nil
			if ann.session, err = next.manager.Restore(t.Context(), id, snapshot, 1); err != nil {
				t.Fatal(err)
			}
			ann.house = next
			synctest.Wait()
			ann.want("nothing is lost", `{"type":"message","topic":"b","offset":1,"data":1}`)
			if _, n, _ := next.bus.Presence(t.Context(), "a"); n != 1 {
				t.Errorf("%d members", n)
			}
		}))
	}
}

func memberOf(p *peer) string {
	var id string
	members, _, _ := p.bus.Presence(context.Background(), "t")
	for _, m := range members {
		if strings.Contains(string(m.Info), "ann") {
			id = m.ID
		}
	}
	return id
}

func TestMemoryGoesOn(t *testing.T) {
	fill := func(m *Memory) {
		ctx := context.Background()
		for n := range 5 {
			m.Publish(ctx, "a", Publication{Data: []byte("1"), ID: string(rune('a' + n)), Key: "k"})
			m.Publish(ctx, "b", Publication{Data: []byte("2"), Origin: Origin{"s", "", uint64(n + 1)}})
		}
		m.Join(ctx, "a", Member{ID: "m", Info: []byte("{}")})
		m.Join(ctx, "a", Member{ID: "gone", Info: []byte("{}")})
		m.Leave(ctx, "a", "gone")
	}
	emitted := func(m *Memory) (all [][]byte) {
		m.Dump(func(r []byte) { all = append(all, slices.Clone(r)) }, false)
		return all
	}
	check := func(t *testing.T, m *Memory, before Replay) {
		t.Helper()
		ctx := context.Background()
		if r, err := m.Read(ctx, "a", Query{Since: &Position{before.Epoch, 2}}); err != nil || !r.Recovered || len(r.Messages) != 3 || r.Messages[0].Key != "k" {
			t.Errorf("history %+v, %v", r, err)
		}
		if p, _ := m.Publish(ctx, "a", Publication{Data: []byte("1"), ID: "c"}); !p.Duplicate || p.Offset != 3 {
			t.Errorf("an id that was published: %+v", p)
		}
		if p, _ := m.Publish(ctx, "b", Publication{Data: []byte("2"), Origin: Origin{"s", "", 5}}); p.Duplicate || p.Offset != 5 {
			t.Errorf("a command that was carried out: %+v", p)
		}
		if p, _ := m.Publish(ctx, "b", Publication{Data: []byte("2"), Origin: Origin{"s", "", 6}}); p.Offset != 6 {
			t.Errorf("the next command: %+v", p)
		}
		if members, _, _ := m.Members(ctx, "a", 10); len(members) != 1 || members[0].ID != "m" {
			t.Errorf("members %v", members)
		}
	}
	t.Run("from its journal", bubble(func(t *testing.T) {
		var j pages
		m := NewMemory(nil)
		m.Dump(j.Append, false) // as a new file begins
		m.Keep(&j)
		fill(m)
		before, _ := m.Read(t.Context(), "a", Query{})
		check(t, loaded(t, nil, j.records), before)
	}))
	t.Run("from what it emits, after a journal that it emitted in", bubble(func(t *testing.T) {
		var j pages
		m := NewMemory(nil)
		m.Keep(&j)
		fill(m)
		before, _ := m.Read(t.Context(), "a", Query{})
		check(t, loaded(t, nil, slices.Concat(emitted(m), j.records)), before)
	}))
	t.Run("from what the next one emits", bubble(func(t *testing.T) {
		var j pages
		m := NewMemory(nil)
		m.Keep(&j)
		fill(m)
		before, _ := m.Read(t.Context(), "a", Query{})
		for range 2 {
			m = loaded(t, nil, emitted(m))
		}
		check(t, m, before)
	}))
	t.Run("with another epoch, where positions name nothing any more", bubble(func(t *testing.T) {
		m := NewMemory(nil)
		fill(m)
		before, _ := m.Read(t.Context(), "a", Query{})
		m = loaded(t, nil, emitted(m))
		m.NewEpoch()
		r, err := m.Read(t.Context(), "a", Query{Since: &before.Position})
		if err != nil || r.Recovered || len(r.Messages) != 5 || r.Messages[0].Epoch == before.Epoch {
			t.Errorf("history %+v, %v", r, err)
		}
	}))
	t.Run("what is too old by now is not there", bubble(func(t *testing.T) {
		m := NewMemory(nil)
		fill(m)
		all := emitted(m)
		time.Sleep(DefaultHistoryAge)
		m = loaded(t, nil, all)
		if r, _ := m.Read(t.Context(), "a", Query{Last: 10}); len(r.Messages) != 0 || r.Offset != 5 {
			t.Errorf("history %+v", r)
		}
	}))
}

// FuzzLoad gives an engine whatever it is given.
func FuzzLoad(f *testing.F) {
	m := NewMemory(nil)
	var j pages
	m.Keep(&j)
	m.Publish(f.Context(), "a", Publication{Data: []byte("1"), ID: "i", Origin: Origin{"s", "", 1}})
	m.Join(f.Context(), "a", Member{ID: "m", Info: []byte("{}")})
	m.Leave(f.Context(), "a", "m")
	m.Dump(j.Append, false)
	for _, r := range j.records {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		m := NewMemory(nil)
		if m.Load(record) != nil {
			return
		}
		if err := m.Load(record); err != nil {
			t.Fatalf("known already, it is refused: %v", err)
		}
		m.Publish(t.Context(), "a", Publication{Data: []byte("2")})
		m.Loaded()
		var again pages
		m.Dump(again.Append, true)
		loaded(t, nil, again.records)
	})
}
