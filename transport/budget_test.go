package transport

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const kib = 1 << 10

// budgetWorld is a manager with a budget of 64 KiB and sessions that do not
// read.
type budgetWorld struct {
	*testing.T
	budget  *Budget
	manager *Manager
	log     bytes.Buffer
}

func newBudgetWorld(t *testing.T, b *Budget) *budgetWorld {
	w := &budgetWorld{T: t, budget: b}
	w.budget.Bytes = 64 * kib
	w.manager = NewManager(&Options{Backend: idle{}, Budget: w.budget, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	t.Cleanup(func() { w.manager.Shutdown(context.Background()) })
	return w
}

func (w *budgetWorld) session() *Stream {
	w.Helper()
	s, err := w.manager.Create(w.Context(), Params{Wait: time.Minute, Inactivity: time.Minute, Requests: 2, MaxInbox: 64 * kib, MaxOutbox: 64 * kib})
	if err != nil {
		w.Fatal(err)
	}
	return openStream(w.T, s, "s")
}

// owe sends bytes to a client that does not read. The level is found out anew
// each time.
func (w *budgetWorld) owe(st *Stream, kibs int) error {
	time.Sleep(lookInterval)
	return st.TrySend(make([]byte, kibs*kib-frameOverhead))
}

// create tries to make a session, a moment later.
func (w *budgetWorld) create() error {
	time.Sleep(lookInterval)
	s, err := w.manager.Create(w.Context(), testParams)
	if err == nil {
		s.Terminate(nil)
	}
	return err
}

func TestBudget(t *testing.T) {
	t.Run("below it, nothing is refused", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		if err := errors.Join(w.owe(w.session(), 63), w.create()); err != nil {
			t.Error(err)
		}
	}))
	t.Run("from the budget, new sessions are refused until some is free again", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		st := w.session()
		w.owe(st, 32)
		w.owe(st, 32)
		if err := w.create(); err != ErrNoMemory {
			t.Errorf("err = %v, want ErrNoMemory", err)
		}
		wantEnd(t, st.Session(), "who is there stays", "")
		st.Session().Ack(1)
		if err := w.create(); err != nil {
			t.Errorf("after the acknowledgement: %v", err)
		}
	}))
	t.Run("from an eighth more, who has much waiting is slowed down, and others are not", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		slow, quick := w.session(), w.session()
		w.owe(slow, 60)
		w.owe(quick, 4)
		w.owe(quick, 8)
		if err := w.owe(slow, 1); err != ErrFull {
			t.Errorf("to the slow one: %v, want ErrFull", err)
		}
		waits := send(t.Context(), slow, "x")
		waits.wantWaiting(t, "a backend that can wait is held back")
		quick.Session().Ack(2)
		if err := quick.TrySend(make([]byte, kib)); err != nil {
			t.Errorf("to the other: %v", err)
		}
		slow.Session().Ack(1)
		waits.wantDone(t, "once it has read")
		wantEnd(t, slow.Session(), "nobody ends", "")
	}))
	t.Run("from an eighth more, what backends do not take holds clients back", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		m := NewManager(&Options{Budget: w.budget, Backend: &recorder{onReceive: func(*Stream, []byte) error {
			time.Sleep(time.Minute)
			return nil
		}}})
		s, _ := m.Create(t.Context(), Params{Inactivity: 10 * time.Minute, MaxInbox: 8 * kib})
		openStream(t, s, "s")
		w.owe(w.session(), 63)
		w.owe(w.session(), 9)
		push(t.Context(), s, 1, large).wantDone(t, "the first fills the eighth")
		waits := push(t.Context(), s, 2, large)
		waits.wantWaiting(t, "the next is for later")
		time.Sleep(time.Minute)
		waits.wantDone(t, "taken")
		time.Sleep(time.Minute)
	}))
	t.Run("from a quarter more, the largest end, until there is an eighth", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		small, middle, large, last := w.session(), w.session(), w.session(), w.session()
		w.owe(small, 4)
		w.owe(middle, 20)
		w.owe(large, 50)
		synctest.Wait()
		wantEnd(t, middle.Session(), "tight, not over", "")
		w.owe(last, 7)
		synctest.Wait()
		wantEnd(t, large.Session(), "the largest", Overflow)
		wantEnd(t, middle.Session(), "that was enough", "")
		wantEnd(t, small.Session(), "that was enough", "")
		if got := w.budget.Used(); got != 31*kib {
			t.Errorf("%d are left", got)
		}
		if got := strings.Count(w.log.String(), "memory budget exceeded"); got != 1 {
			t.Errorf("logged %d times", got)
		}
		if err := w.create(); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}))
	t.Run("what is kept elsewhere counts, and goes first", bubble(func(t *testing.T) {
		elsewhere, asked := int64(70*kib), int64(0)
		w := newBudgetWorld(t, &Budget{
			Others: []func() int64{func() int64 { return elsewhere }},
			Shed:   func(n int64) int64 { asked, elsewhere = n, elsewhere-n; return n },
		})
		if err := w.create(); err != ErrNoMemory {
			t.Errorf("err = %v, want ErrNoMemory", err)
		}
		elsewhere = 0
		w.create()
		st := w.session()
		elsewhere = 60 * kib
		w.owe(st, 30)
		synctest.Wait()
		if asked != 18*kib {
			t.Errorf("%d bytes were to be freed", asked)
		}
		wantEnd(t, st.Session(), "that was enough", "")
	}))
	t.Run("of sessions that are over, what is left counts, and can go", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		st, other, another := w.session(), w.session(), w.session()
		w.owe(st, 60)
		st.Session().Terminate(nil)
		if got := w.budget.Used(); got != 60*kib {
			t.Errorf("%d are kept", got)
		}
		w.owe(other, 11)
		w.owe(another, 9)
		synctest.Wait()
		if got := w.budget.Used(); got != 20*kib {
			t.Errorf("%d are kept afterwards", got)
		}
		wantEnd(t, other.Session(), "a smaller one", "")
	}))
	t.Run("what is forgotten counts no more", bubble(func(t *testing.T) {
		w := newBudgetWorld(t, &Budget{})
		st := w.session()
		w.owe(st, 30)
		st.Session().Terminate(nil)
		time.Sleep(3 * time.Minute)
		if got := w.budget.Used(); got != 0 {
			t.Errorf("%d", got)
		}
	}))
	t.Run("what many are owed once is not believed while the heap has less", bubble(func(t *testing.T) {
		heap := int64(10 * kib)
		w := newBudgetWorld(t, &Budget{Heap: func() int64 { return heap }})
		a, b := w.session(), w.session()
		w.owe(a, 60)
		w.owe(b, 60)
		synctest.Wait()
		if err := w.create(); err != nil {
			t.Errorf("%v", err)
		}
		heap = 100 * kib
		if err := w.create(); err != ErrNoMemory {
			t.Errorf("err = %v, want ErrNoMemory", err)
		}
	}))
	t.Run("sessions take memory themselves", bubble(func(t *testing.T) {
		heap := int64(100)
		w := newBudgetWorld(t, &Budget{Heap: func() int64 { return heap }, MaxHeap: 100})
		if err := w.create(); err != nil {
			t.Error(err)
		}
		heap = 101
		if err := w.create(); err != ErrNoMemory {
			t.Errorf("err = %v, want ErrNoMemory", err)
		}
	}))
}

// A client that keeps up costs the budget nothing, and an idle session counts
// nothing: no message of theirs touches what all sessions share.
func TestBudgetIsNotForMessages(t *testing.T) {
	w := newBudgetWorld(t, &Budget{})
	st := w.session()
	looked := w.budget.looked.Load()
	for n := range uint64(1000) {
		st.TrySend(make([]byte, 500))
		st.TrySend(make([]byte, 500))
		if w.budget.sessions.Load() != 0 || w.budget.looked.Load() != looked {
			t.Fatal("it was told")
		}
		st.Session().Ack(2*n + 2)
	}
	data := make([]byte, 4*kib) // and these it is told of
	acked := uint64(2000)
	if allocs := testing.AllocsPerRun(100, func() {
		st.TrySend(data)
		acked++
		st.Session().Ack(acked)
	}); allocs > 0 {
		t.Errorf("%v allocations to tell it", allocs)
	}
	if got := w.budget.Used(); got != 0 {
		t.Errorf("%d are kept by nobody", got)
	}
}

// Whatever happens, the budget has what its sessions have told, and that is not
// far from the truth.
func TestBudgetCounts(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			w := newBudgetWorld(t, &Budget{})
			streams := make([]*Stream, 5)
			for i := range streams {
				streams[i] = w.session()
			}
			for range 300 {
				st := streams[dice.IntN(len(streams))]
				s := st.Session()
				switch dice.IntN(8) {
				case 0, 1, 2, 3:
					st.TrySend(make([]byte, dice.IntN(8*kib)))
				case 4, 5:
					s.mu.Lock()
					base := s.machine.out.base
					s.mu.Unlock()
					s.Ack(base + dice.Uint64N(4))
				case 6:
					s.Push(t.Context(), 0, []Frame{{Data: make([]byte, dice.IntN(8*kib))}})
				case 7:
					time.Sleep(lookInterval)
				}
			}
			synctest.Wait()
			told, kept := 0, 0
			for _, st := range streams {
				told += int(st.Session().told)
				kept += st.Session().machine.keeps()
			}
			if got := w.budget.Used(); got != int64(told) || kept-told >= len(streams)*budgetStep || told-kept >= len(streams)*budgetStep {
				t.Errorf("seed %d: the budget has %d, was told %d, and kept are %d", seed, got, told, kept)
			}
		})
	}
}
