package transport

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// given notes what backends are told of their frames.
type given struct {
	mu  sync.Mutex
	all []string
}

// of returns the function for the receipt of a frame.
func (g *given) of(frame string) func(error) {
	return func(err error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		what := "acknowledged"
		var t *Termination
		switch {
		case err == nil:
		case errors.Is(err, ErrElsewhere):
			what = "elsewhere"
		case errors.As(err, &t):
			what = string(t.Condition)
		default:
			what = err.Error()
		}
		g.all = append(g.all, frame+" "+what)
	}
}

func (g *given) want(t *testing.T, rule string, all ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.all, all) {
		t.Errorf("%s: got %q, want %q", rule, g.all, all)
	}
	g.all = nil
}

// send sends frames and asks for their receipts.
func (g *given) send(t *testing.T, st *Stream, data ...string) (last uint64) {
	t.Helper()
	for _, p := range data {
		last = must(st.TrySendFunc([]byte(p), g.of(p)))
	}
	return last
}

func TestReceipts(t *testing.T) {
	t.Run("of a cursor, those of the frames up to it, in their order", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		var g given
		g.send(t, st, "a", "b", "c")
		g.want(t, "nothing is acknowledged yet")
		pull(t.Context(), s, Pull{Attach: 1, Wait: -1}).wantDone(t, "written, which says nothing")
		g.want(t, "written is not acknowledged")
		s.Ack(2)
		g.want(t, "by itself", "a acknowledged", "b acknowledged")
		s.Ack(2)
		g.want(t, "once")
		pull(t.Context(), s, Pull{Attach: 2, After: 3, Wait: -1}).wantDone(t, "asked")
		g.want(t, "by the next pull", "c acknowledged")
		s.Terminate(nil)
		g.want(t, "not again at the end")
	}))
	t.Run("of numbered requests, by what they say or imply", bubble(func(t *testing.T) {
		p := testParams
		p.FirstSeq, p.Requests, p.Hold, p.Wait = 1, 2, 1, time.Minute
		opts := &Options{Backend: &recorder{}, MaxAnswers: 1}
		s := newBareSession(t, opts, p)
		st := openStream(t, s, "s")
		var g given
		one := exchange(t.Context(), s, Request{Seq: 1})
		synctest.Wait()
		g.send(t, st, "a")
		one.wantDone(t, "answered")
		g.want(t, "an answer given is none that arrived")
		exchange(t.Context(), s, Request{Seq: 2, AckSeq: 1, Wait: -1}).wantDone(t, "answered")
		g.want(t, "said", "a acknowledged")
		g.send(t, st, "b")
		for seq := uint64(3); seq <= 4; seq++ {
			exchange(t.Context(), s, Request{Seq: seq, Wait: -1}).wantDone(t, "answered")
			g.want(t, "the answer may be lost still")
		}
		exchange(t.Context(), s, Request{Seq: 5, Wait: -1}).wantDone(t, "answered")
		g.want(t, "the window says that the answer to 3 is there", "b acknowledged")
		s.manager.Shutdown(t.Context())
	}))
	t.Run("what was not acknowledged at the end never is", bubble(func(t *testing.T) {
		for _, end := range []*Termination{{Condition: Inactive}, {Condition: Overflow}, {Condition: Normal, ByClient: true}, {Condition: Policy}} {
			s, st := newSession(t, &recorder{}, testParams)
			var g given
			g.send(t, st, "a", "b")
			s.Ack(1)
			s.Terminate(end)
			g.want(t, "the end", "a acknowledged", "b "+string(end.Condition))
			if _, err := st.TrySendFunc(nil, g.of("c")); err != end {
				t.Errorf("got %v", err)
			}
			st.AckedFunc(2, g.of("b"))
			g.want(t, "asked too late", "b "+string(end.Condition))
		}
	}))
	t.Run("of a stream that is over while others go on", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		other := openStream(t, s, "other")
		var g given
		g.send(t, st, "a")
		g.send(t, other, "b")
		g.send(t, st, "c")
		st.Close(&Termination{Condition: Policy})
		g.want(t, "its own", "a policy", "c policy")
		s.Ack(3)
		g.want(t, "the other's", "b acknowledged")
		s.manager.Shutdown(t.Context())
	}))
	t.Run("a frame for which there is no room has none", bubble(func(t *testing.T) {
		p := testParams
		p.MaxOutbox = 200
		s, st := newSession(t, &recorder{}, p)
		var g given
		g.send(t, st, "a")
		if _, err := st.TrySendFunc(make([]byte, 200), g.of("b")); err != ErrFull {
			t.Errorf("got %v", err)
		}
		s.Ack(1)
		g.want(t, "of the other", "a acknowledged")
		s.manager.Shutdown(t.Context())
	}))
	t.Run("who gives one holds no lock, and a panic costs one session", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		var g given
		if _, err := st.TrySendFunc([]byte("a"), func(error) { g.send(t, st, "b") }); err != nil {
			t.Fatal(err)
		}
		s.Ack(1)
		s.Ack(2)
		g.want(t, "sent by the first", "b acknowledged")
		must(st.TrySendFunc([]byte("c"), func(error) { panic("no") }))
		s.Ack(3)
		wantEnd(t, s, "a panic", Internal)
	}))
}

// A stream that goes on in another process asks for the receipts of what it sent
// here.
func TestReceiptsOfAStreamThatMoved(t *testing.T) {
	t.Run("in good order, each of them once", bubble(func(t *testing.T) {
		shelf, b := newShelf(), new(counting)
		s := newBareSession(t, &Options{Backend: b}, testParams)
		st := openStream(t, s, "s")
		var g given
		g.send(t, st, "a", "b")
		s.Ack(1)
		g.want(t, "before", "a acknowledged")
		suspend(t, s.manager, Suspension{Store: shelf})
		g.want(t, "let go", "b elsewhere")
		next := restore(t, shelf, b)
		again := lookup(t, next, s.ID())
		moved := again.streams[0]
		moved.AckedFunc(2, g.of("b"))
		moved.AckedFunc(1, g.of("a"))
		moved.AckedFunc(3, g.of("never sent"))
		g.want(t, "asked again", "a acknowledged", "never sent "+ErrAhead.Error())
		again.Ack(2)
		g.want(t, "after", "b acknowledged")
		next.Shutdown(t.Context())
	}))
	t.Run("with a store, none before the acknowledgement is stored", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		st := s.streams[0]
		var g given
		g.send(t, st, "a", "b")
		s.Stored(t.Context())
		store.held = make(chan struct{})
		s.Ack(1)
		g.want(t, "not stored")
		close(store.held)
		time.Sleep(time.Second)
		g.want(t, "stored", "a acknowledged")
		store.held, store.fail = nil, errors.New("full")
		s.Ack(2)
		time.Sleep(time.Second)
		g.want(t, "it cannot be stored")
		store.fail = nil
		s.Stored(t.Context())
		g.want(t, "it can again", "b acknowledged")
		s.manager.Shutdown(t.Context())
	}))
	t.Run("of two that have a session, the one that lost it gives none", bubble(func(t *testing.T) {
		store, b := newShelf(), new(counting)
		s := newStored(t, store, b)
		var g given
		g.send(t, s.streams[0], "a", "b")
		s.Stored(t.Context())
		next := crash(t, store, b)
		again := lookup(t, next, s.ID())
		s.Ack(1)
		time.Sleep(time.Second)
		g.want(t, "the old one", "a elsewhere", "b elsewhere")
		again.streams[0].AckedFunc(1, g.of("a"))
		again.Ack(1)
		time.Sleep(time.Second)
		g.want(t, "the new one", "a acknowledged")
		next.Shutdown(t.Context())
		s.manager.Shutdown(t.Context())
	}))
}

// To publish to a client that keeps up costs nothing for receipts that nobody
// asks for.
func TestNoReceiptsCostNothing(t *testing.T) {
	s, st := newSession(t, idle{}, testParams)
	data := []byte("hello")
	n := uint64(0)
	if allocs := testing.AllocsPerRun(100, func() {
		st.TrySend(data)
		n++
		s.Ack(n)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if s.machine.receipts != nil {
		t.Error("there is a list of them")
	}
	if _, err := st.TrySendFunc(data, func(error) {}); err != nil {
		t.Fatal(err)
	}
	s.Ack(n + 1)
	if s.machine.receipts != nil {
		t.Error("the list stays when they are given")
	}
	shutdown(t, s.manager)
}
