package transport

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A counting backend answers each frame with its number on the stream. Its
// streams go on elsewhere.
type counting struct {
	mu     sync.Mutex
	closed []string
	hang   chan struct{} // Receive waits for it; nil: it does not
}

type counter struct {
	*counting
	st *Stream
	mu sync.Mutex
	n  uint64
}

func (b *counting) Open(_ context.Context, st *Stream) (Receiver, error) {
	return &counter{counting: b, st: st}, nil
}

func (b *counting) Resume(_ context.Context, st *Stream, token []byte) (Receiver, error) {
	n, err := strconv.ParseUint(string(token), 10, 64)
	return &counter{counting: b, st: st, n: n}, err
}

func (c *counter) Receive(p []byte) error {
	if c.hang != nil {
		<-c.hang
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.st.TrySend(fmt.Appendf(nil, "%d %s", c.n, p))
}

func (c *counter) Suspend(save func(token []byte, received uint64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	save(strconv.AppendUint(nil, c.n, 10), c.n)
}

func (c *counter) Close(err error) {
	c.counting.mu.Lock()
	defer c.counting.mu.Unlock()
	why := conditionOf(err)
	if errors.Is(err, ErrElsewhere) {
		why = "elsewhere"
	}
	c.closed = append(c.closed, why)
}

// shelf is a Store in memory.
type shelf struct {
	sync.Mutex
	held  chan struct{} // set: it waits for that before it saves
	saved map[string]kept
	// What Load returns, though it is not true any more.
	behind map[string]kept
	unread error // Load returns it
	fail   error // Save does
	saves  int
}

type kept struct {
	snapshot []byte
	revision uint64
}

func newShelf() *shelf { return &shelf{saved: map[string]kept{}} }

func (s *shelf) Load(_ context.Context, id string) ([]byte, uint64, error) {
	s.Lock()
	defer s.Unlock()
	k, ok := s.behind[id]
	if !ok {
		k, ok = s.saved[id]
	}
	if !ok {
		return nil, 0, ErrNoSession
	}
	return k.snapshot, k.revision, s.unread
}

// kept returns what is stored of a session.
func (s *shelf) kept(id string) kept {
	s.Lock()
	defer s.Unlock()
	return s.saved[id]
}

func (s *shelf) Save(_ context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	time.Sleep(time.Millisecond) // in the bubble
	if s.held != nil {
		<-s.held
	}
	s.Lock()
	defer s.Unlock()
	switch {
	case s.fail != nil:
		return 0, s.fail
	case s.saved[id].revision != revision:
		return 0, ErrConflict
	}
	s.saves++
	s.saved[id] = kept{append([]byte(nil), snapshot...), revision + 1}
	return revision + 1, nil
}

func (s *shelf) Delete(_ context.Context, id string, revision uint64) error {
	s.Lock()
	defer s.Unlock()
	if k, ok := s.saved[id]; ok && k.revision != revision {
		return ErrConflict
	}
	delete(s.saved, id)
	return nil
}

// suspend saves all sessions of a manager.
func suspend(t *testing.T, m *Manager, o Suspension) (saved int) {
	t.Helper()
	saved, err := m.Suspend(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// restore has them go on at another.
func restore(t *testing.T, s *shelf, b Backend) *Manager {
	t.Helper()
	m := NewManager(&Options{Backend: b})
	for id, k := range s.saved {
		if _, err := m.Restore(t.Context(), id, k.snapshot, 0); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func lookup(t *testing.T, m *Manager, id string) *Session {
	t.Helper()
	s, err := m.Lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuspend(t *testing.T) {
	t.Run("a session goes on where it was left", bubble(func(t *testing.T) {
		b, store := new(counting), newShelf()
		s, _ := newSession(t, b, testParams)
		push(t.Context(), s, 1, "a", "b").wantDone(t, "accepted")
		wantFrames(t, pull(t.Context(), s, Pull{Attach: 1, Wait: -1}).wantDone(t, "there"), "answers", "1 a", "2 b")
		held := pull(t.Context(), s, Pull{Attach: 2, After: 1, Wait: time.Minute})
		wantFrames(t, held.wantDone(t, "the second is not acknowledged"), "again", "2 b")
		held = pull(t.Context(), s, Pull{Attach: 3, After: 2, Wait: time.Minute})
		held.wantWaiting(t, "nothing to say")
		if n := suspend(t, s.manager, Suspension{Store: store, Away: time.Second}); n != 1 {
			t.Errorf("%d saved", n)
		}
		if r := held.wantDone(t, "the client is let go"); r.Later != time.Second || len(r.Frames) > 0 || r.End != nil {
			t.Errorf("it is told %+v", r)
		}

		m := restore(t, store, b)
		s = lookup(t, m, s.ID())
		if ack := push(t.Context(), s, 2, "b", "c").wantDone(t, "the first is a repeat"); ack != 3 {
			t.Errorf("accepted up to %d", ack)
		}
		wantFrames(t, pull(t.Context(), s, Pull{Attach: 4, After: 2}).wantDone(t, "there"), "what follows what it has", "3 c")
		if r := pull(t.Context(), s, Pull{Attach: 3, After: 2}).wantDone(t, "an old connection"); !r.Replaced {
			t.Errorf("got %+v", r)
		}
		if m.Shutdown(t.Context()); b.closed[0] != "elsewhere" || b.closed[1] != "shutdown" {
			t.Errorf("closed: %v", b.closed)
		}
	}))
	t.Run("requests that come meanwhile are put off, and new sessions", bubble(func(t *testing.T) {
		s, _ := newSession(t, new(counting), testParams)
		other, err := s.manager.Create(t.Context(), testParams)
		if err != nil {
			t.Fatal(err)
		}
		openStream(t, other, "s")
		go s.manager.Suspend(t.Context(), Suspension{Store: newShelf(), Spread: 10 * time.Second, Away: time.Second})
		time.Sleep(6 * time.Second) // both are let go, none is saved
		var away *Suspended
		for name, err := range map[string]error{
			"push":   second(s.Push(t.Context(), 1, frames("a"))),
			"ack":    s.Ack(0),
			"attach": s.Attach(1, 0),
			"number": second(s.Exchange(t.Context(), Request{Seq: 1})),
			"create": second(s.manager.Create(t.Context(), testParams)),
			"lookup": second(s.manager.Lookup(t.Context(), "nobody")),
		} {
			if !errors.As(err, &away) || away.After != 11*time.Second {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := pull(t.Context(), s, Pull{Attach: 1, Wait: time.Minute}).wantDone(t, "at once"); r.Later != 11*time.Second {
			t.Errorf("pull: %+v", r)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
	}))
	t.Run("clients are let go one after the other", bubble(func(t *testing.T) {
		m := NewManager(&Options{Backend: new(counting)})
		began := time.Now()
		var mu sync.Mutex
		gone := map[time.Duration]int{}
		for range 4 {
			s, err := m.Create(t.Context(), testParams)
			if err != nil {
				t.Fatal(err)
			}
			openStream(t, s, "s")
			s.PullFunc(Pull{Wait: time.Minute}, func(Response) {
				mu.Lock()
				defer mu.Unlock()
				gone[time.Since(began)]++
			})
		}
		suspend(t, m, Suspension{Store: newShelf(), Spread: 4 * time.Second})
		for at := range 4 {
			if gone[time.Duration(at)*time.Second] != 1 {
				t.Errorf("gone at %v", gone)
			}
		}
	}))
	t.Run("what was accepted and is not received yet is given to the next", bubble(func(t *testing.T) {
		b, store := &counting{hang: make(chan struct{})}, newShelf()
		s, _ := newSession(t, b, testParams)
		push(t.Context(), s, 1, "a", "b").wantDone(t, "accepted")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.manager.Suspend(ctx, Suspension{Store: store}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, though a backend hangs", err)
		}
		close(b.hang)
		m := restore(t, store, new(counting))
		s = lookup(t, m, s.ID())
		synctest.Wait()
		wantFrames(t, pull(t.Context(), s, Pull{Wait: -1}).wantDone(t, "there"), "the answers of the next", "1 a", "2 b")
		m.Shutdown(t.Context())
	}))
	t.Run("numbered requests keep their place, and their answers", bubble(func(t *testing.T) {
		b, store := new(counting), newShelf()
		s, _ := newSession(t, b, testParams)
		wantFrames(t, exchange(t.Context(), s, Request{Seq: 1, Frames: frames("a")}).wantDone(t, "answered"), "the answer", "1 a")
		held := exchange(t.Context(), s, Request{Seq: 2})
		held.wantWaiting(t, "held")
		suspend(t, s.manager, Suspension{Store: store, Away: time.Second})
		if r := held.wantDone(t, "let go"); r.Later == 0 || r.Seq != 2 {
			t.Errorf("got %+v", r)
		}
		m := restore(t, store, b)
		s = lookup(t, m, s.ID())
		wantFrames(t, exchange(t.Context(), s, Request{Seq: 1}).wantDone(t, "repeated"), "the same answer", "1 a")
		held = exchange(t.Context(), s, Request{Seq: 2})
		held.wantWaiting(t, "it has its place again")
		next := exchange(t.Context(), s, Request{Seq: 3, Frames: frames("c")})
		wantFrames(t, held.wantDone(t, "answered for the next"), "nothing")
		wantFrames(t, next.wantDone(t, "answered"), "the next answer", "2 c")
		m.Shutdown(t.Context())
	}))
	t.Run("a session whose backend cannot ends, and a stream of such a one", bubble(func(t *testing.T) {
		able := new(counting)
		m := NewManager(&Options{Backend: Mux{"able": able, "": &recorder{}}})
		one := must(m.Create(t.Context(), testParams))
		must(one.Open(t.Context(), "s", ""))
		two := must(m.Create(t.Context(), testParams))
		must(two.Open(t.Context(), "s", ""))
		must(two.Open(t.Context(), "t", "able"))
		fleeting := testParams
		fleeting.Fleeting = true
		three := must(m.Create(t.Context(), fleeting))
		must(three.Open(t.Context(), "t", "able"))
		store := newShelf()
		end := func(*Session) *Termination { return &Termination{Condition: Moved, URI: "elsewhere"} }
		if n := suspend(t, m, Suspension{Store: store, End: end}); n != 1 {
			t.Errorf("%d saved", n)
		}
		wantEnd(t, one, "nothing of it can go on", Moved)
		wantEnd(t, three, "nor without its connection", Moved)
		next := restore(t, store, Mux{"able": able})
		r := pull(t.Context(), lookup(t, next, two.ID()), Pull{Wait: -1}).wantDone(t, "there")
		if len(r.Frames) != 1 || r.Frames[0].Stream != "s" || r.Frames[0].End == nil {
			t.Errorf("the client learns %+v", r)
		}
		next.Shutdown(t.Context())
	}))
	t.Run("without a store all sessions end", bubble(func(t *testing.T) {
		s, _ := newSession(t, new(counting), testParams)
		held := pull(t.Context(), s, Pull{Wait: time.Minute})
		held.wantWaiting(t, "held")
		suspend(t, s.manager, Suspension{})
		if r := held.wantDone(t, "the end"); r.End == nil || r.End.Condition != Shutdown {
			t.Errorf("got %+v", r)
		}
		if _, err := s.manager.Create(t.Context(), testParams); conditionOf(err) != string(Shutdown) {
			t.Errorf("create: %v", err)
		}
	}))
}

func second[T any](_ T, err error) error { return err }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRestoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		s, _ := newSession(t, new(counting), testParams)
		suspend(t, s.manager, Suspension{Store: store})
		m := restore(t, store, new(counting))
		if _, err := m.Restore(t.Context(), s.ID(), store.saved[s.ID()].snapshot, 0); !errors.Is(err, ErrConflict) {
			t.Errorf("a session that is here: %v", err)
		}
		if _, err := m.Restore(t.Context(), "x", []byte("nonsense"), 0); !errors.Is(err, ErrSnapshot) {
			t.Errorf("nonsense: %v", err)
		}
		if n := m.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions", n)
		}
		m.Shutdown(t.Context())
	})
}
