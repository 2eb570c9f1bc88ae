package transport

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A hall has the processes that share a shelf.
type hall struct {
	*shelf
	b         Backend
	mu        sync.Mutex
	processes map[string]*Manager
	owners    map[string]string // by session
}

func newHall(b Backend) *hall {
	return &hall{shelf: newShelf(), b: b, processes: make(map[string]*Manager), owners: make(map[string]string)}
}

// A desk is the shelf as one of the processes has it.
type desk struct {
	*hall
	name string
}

func (h *hall) process(name string) *Manager {
	m := NewManager(&Options{Backend: h.b, Store: &desk{h, name}})
	h.processes[name] = m
	return m
}

func (d *desk) Load(ctx context.Context, id string) ([]byte, uint64, error) {
	d.mu.Lock()
	owner := d.owners[id]
	there := d.processes[owner] != nil
	d.mu.Unlock()
	if there && owner != d.name {
		return nil, 0, &Owned{owner}
	}
	return d.shelf.Load(ctx, id)
}

func (d *desk) Save(ctx context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	next, err := d.shelf.Save(ctx, id, snapshot, revision)
	if err == nil {
		d.mu.Lock()
		d.owners[id] = d.name
		if to, ok := ctx.Value(heir{}).(string); ok {
			d.owners[id] = to
		}
		d.mu.Unlock()
	}
	return next, err
}

type heir struct{}

func (d *desk) Fetch(ctx context.Context, id, owner string) error {
	d.mu.Lock()
	m := d.processes[owner]
	d.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.Release(context.WithValue(ctx, heir{}, d.name), id)
}

// dies has a process answer nobody any more.
func (h *hall) dies(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.processes, name)
}

func TestElsewhere(t *testing.T) {
	begin := func(t *testing.T) (h *hall, one, two *Manager, s *Session) {
		h = newHall(new(counting))
		one, two = h.process("one"), h.process("two")
		s = must(one.Create(t.Context(), testParams))
		must(s.Open(t.Context(), "s", ""))
		push(t.Context(), s, 1, "a").wantDone(t, "taken")
		if err := s.Stored(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			one.Shutdown(context.Background())
			two.Shutdown(context.Background())
		})
		return h, one, two, s
	}
	answered := func(t *testing.T, s *Session, rule string, want ...string) {
		t.Helper()
		p := pull(t.Context(), s, Pull{Wait: -1})
		time.Sleep(time.Second)
		synctest.Wait()
		wantFrames(t, p.wantDone(t, rule), rule, want...)
	}

	t.Run("whoever else is asked says whose it is", bubble(func(t *testing.T) {
		_, _, two, s := begin(t)
		var owned *Owned
		if _, err := two.Lookup(t.Context(), s.ID()); !errors.As(err, &owned) || owned.By != "one" {
			t.Errorf("got %v", err)
		}
	}))
	t.Run("it can be brought", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		here, err := two.Bring(t.Context(), s.ID())
		if err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, "the old one let go", Moved)
		if h.b.(*counting).closed[0] != "elsewhere" {
			t.Error("its backend was told otherwise")
		}
		answered(t, here, "all goes on", "1 a")
		if _, err := one.Lookup(t.Context(), s.ID()); !errors.As(err, new(*Owned)) {
			t.Errorf("where it was: %v", err)
		}
		if back := must(one.Bring(t.Context(), s.ID())); back == s {
			t.Error("it cannot be the same again")
		}
	}))
	t.Run("a session that is here needs no bringing", bubble(func(t *testing.T) {
		_, one, _, s := begin(t)
		if here := must(one.Bring(t.Context(), s.ID())); here != s {
			t.Error("it moved")
		}
	}))
	t.Run("when its owner dies, who is asked first takes over, once", bubble(func(t *testing.T) {
		h, _, two, s := begin(t)
		h.dies("one")
		found := make(chan *Session, 10)
		for range cap(found) {
			go func() { found <- must(two.Lookup(t.Context(), s.ID())) }()
		}
		first := <-found
		for range cap(found) - 1 {
			if <-found != first {
				t.Fatal("two of one session")
			}
		}
		answered(t, first, "all goes on", "1 a")
		if n := two.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions", n)
		}
	}))
	t.Run("of two that take over, one does", bubble(func(t *testing.T) {
		h, _, two, s := begin(t)
		three := h.process("three")
		h.dies("one")
		errs := make(chan error, 2)
		for _, m := range []*Manager{two, three} {
			go func() { errs <- second(m.Lookup(t.Context(), s.ID())) }()
		}
		won, lost := <-errs, <-errs
		if won != nil {
			won, lost = lost, won
		}
		if won != nil || !errors.As(lost, new(*Owned)) {
			t.Errorf("got %v and %v", won, lost)
		}
		three.Shutdown(t.Context())
	}))
	t.Run("one that was away finds out what is not its own any more", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		mine := must(one.Create(t.Context(), testParams))
		must(mine.Open(t.Context(), "s", ""))
		mine.Stored(t.Context())
		h.dies("one")
		must(two.Lookup(t.Context(), s.ID()))
		if err := one.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, "it was taken over", Moved)
		if mine.Err() != nil {
			t.Error("the other one is still its own")
		}
	}))
	t.Run("one that was away cannot read what a later version has stored", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		h.dies("one")
		must(two.Lookup(t.Context(), s.ID()))
		h.unread = ErrSnapshot
		h.owners[s.ID()] = "one" // nobody can tell
		if err := one.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, "it was taken over", Moved)
	}))
	t.Run("one that comes back is not forgotten with the one that left", bubble(func(t *testing.T) {
		_, one, two, s := begin(t)
		must(two.Bring(t.Context(), s.ID()))
		back := must(one.Bring(t.Context(), s.ID()))
		for range 20 { // longer than its inactivity
			p := pull(t.Context(), back, Pull{Attach: 1, Wait: 20 * time.Second})
			time.Sleep(10 * time.Second)
			synctest.Wait()
			_ = p
		}
		if here := must(one.Lookup(t.Context(), s.ID())); here != back || back.Err() != nil {
			t.Errorf("got %p, %v, want %p", here, back.Err(), back)
		}
	}))
	t.Run("one that was away proves with the next answer that the session is its own, whatever it says", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		silent := func() *pending[Response] {
			p := pull(t.Context(), s, Pull{After: 1, Wait: time.Second})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			return p
		}
		silent() // acknowledges
		saves := h.saves
		silent().wantDone(t, "it is its own for all it knows")
		if h.saves != saves {
			t.Errorf("%d saves for nothing", h.saves-saves)
		}
		one.Doubt(4 * time.Second)
		silent()
		silent().wantDone(t, "it is its own")
		silent().wantDone(t, "it is its own")
		silent().wantDone(t, "it is its own")
		if n := h.saves - saves; n != 3 {
			t.Errorf("%d saves while there was doubt and once after that", n)
		}
		h.dies("one")
		must(two.Lookup(t.Context(), s.ID()))
		silent().wantDone(t, "nobody doubts")
		if s.Err() != nil {
			t.Fatal("how does it know?")
		}
		one.Doubt(0)
		if r := silent().wantDone(t, "it is another's"); r.Later == 0 {
			t.Errorf("got %+v", r)
		}
		wantEnd(t, s, "it was taken over", Moved)
	}))
	t.Run("it lets go while it is being stored, and the store takes longer than whoever asks for it", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		h.held = make(chan struct{})
		push(t.Context(), s, 2, "b").wantDone(t, "taken")
		go s.Stored(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		released := make(chan error)
		go func() { released <- one.Release(ctx, s.ID()) }()
		time.Sleep(2 * time.Second)
		close(h.held)
		if err := <-released; err == nil {
			t.Fatal("it was in time")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		h.dies("one")
		answered(t, must(two.Lookup(t.Context(), s.ID())), "it was stored, and is not deleted", "1 a", "2 b")
	}))
	t.Run("it is told of one, and has that looked at only", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		h.dies("one")
		must(two.Lookup(t.Context(), s.ID()))
		one.Verify(t.Context(), "another")
		if s.Err() != nil {
			t.Error("nobody spoke of it")
		}
		one.Verify(t.Context(), "another", s.ID())
		wantEnd(t, s, "it was taken over", Moved)
	}))
	t.Run("it is told of one, and the store that it asks is behind", bubble(func(t *testing.T) {
		h, one, two, s := begin(t)
		h.dies("one")
		old := h.kept(s.ID())
		must(two.Lookup(t.Context(), s.ID()))
		h.behind = map[string]kept{s.ID(): old}
		h.owners[s.ID()] = "one" // says who is behind
		if err := one.Verify(t.Context(), s.ID()); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, "it was taken over", Moved)
	}))
	t.Run("it is told of one, and cannot find out", bubble(func(t *testing.T) {
		h, one, _, s := begin(t)
		h.fail = errors.New("nobody there")
		if err := one.Verify(t.Context(), s.ID()); err == nil {
			t.Error("it is known")
		}
		h.fail = nil
		if err := one.Verify(t.Context(), s.ID()); err != nil || s.Err() != nil {
			t.Errorf("it is its own: %v, %v", err, s.Err())
		}
	}))
	t.Run("what cannot move stays", bubble(func(t *testing.T) {
		h := newHall(Mux{"fixed": &recorder{}, "": new(counting)})
		one, two := h.process("one"), h.process("two")
		s := must(one.Create(t.Context(), testParams))
		must(s.Open(t.Context(), "s", ""))
		must(s.Open(t.Context(), "t", "fixed"))
		s.Stored(t.Context())
		if _, err := two.Bring(t.Context(), s.ID()); err != ErrFixed {
			t.Errorf("got %v", err)
		}
		if s.Err() != nil {
			t.Error("it ended")
		}
		if err := one.Release(t.Context(), "nobody's"); err != ErrNoSession {
			t.Errorf("got %v", err)
		}
		one.Shutdown(t.Context())
		two.Shutdown(t.Context())
	}))
}
