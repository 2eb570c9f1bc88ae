package transport

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// slowToOpen notes which streams it opens were there before.
type slowToOpen struct {
	*counting
	opening  chan struct{}
	restored []bool
}

func (b *slowToOpen) Open(ctx context.Context, st *Stream) (Receiver, error) {
	<-b.opening
	b.restored = append(b.restored, st.Restored())
	return b.counting.Open(ctx, st)
}

// newStored makes a session whose manager has a store.
func newStored(t *testing.T, store Store, b Backend) *Session {
	t.Helper()
	s := newBareSession(t, &Options{Backend: b, Store: store}, testParams)
	openStream(t, s, "s")
	return s
}

// crash forgets a manager as a process forgets that is killed: all that there is
// is in the store.
func crash(t *testing.T, store *shelf, b Backend) *Manager {
	t.Helper()
	return NewManager(&Options{Backend: b, Store: store})
}

func TestStore(t *testing.T) {
	t.Run("no answer leaves before it is stored", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		push(t.Context(), s, 1, "a").wantDone(t, "taken")
		synctest.Wait()
		store.held = make(chan struct{})
		p := pull(t.Context(), s, Pull{Attach: 1, Wait: -1})
		p.wantWaiting(t, "not stored")
		close(store.held)
		time.Sleep(time.Second)
		synctest.Wait()
		wantFrames(t, p.wantDone(t, "stored"), "the answer", "1 a")
		s.manager.Shutdown(t.Context())
	}))
	t.Run("what was acknowledged is there after a crash, once", bubble(func(t *testing.T) {
		store, b := newShelf(), new(counting)
		s := newStored(t, store, b)
		push(t.Context(), s, 1, "a", "b").wantDone(t, "taken")
		if err := s.Stored(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := crash(t, store, b)
		again := lookup(t, next, s.ID())
		if ack := push(t.Context(), again, 1, "a", "b", "c").wantDone(t, "repeated"); ack != 3 {
			t.Errorf("accepted %d", ack)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		p := pull(t.Context(), again, Pull{Attach: 1, Wait: -1})
		time.Sleep(time.Second)
		synctest.Wait()
		wantFrames(t, p.wantDone(t, "there"), "each once", "1 a", "2 b", "3 c")
		next.Shutdown(t.Context())
		s.manager.Shutdown(t.Context())
	}))
	t.Run("who opens a stream after a crash is told that another process may have", bubble(func(t *testing.T) {
		store, b := newShelf(), &slowToOpen{counting: new(counting), opening: make(chan struct{})}
		s := newBareSession(t, &Options{Backend: b, Store: store}, testParams)
		go s.Open(t.Context(), "s", "")
		synctest.Wait()
		if err := s.Stored(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(b.opening)
		synctest.Wait()
		next := crash(t, store, b)
		lookup(t, next, s.ID())
		if want := []bool{false, true}; !slices.Equal(b.restored, want) {
			t.Errorf("got %v, want %v", b.restored, want)
		}
		next.Shutdown(t.Context())
		s.manager.Shutdown(t.Context())
	}))
	t.Run("of two that have a session, the one that took it over last keeps it", bubble(func(t *testing.T) {
		store, b := newShelf(), new(counting)
		s := newStored(t, store, b)
		s.Stored(t.Context())
		next := crash(t, store, b)
		again := lookup(t, next, s.ID())

		push(t.Context(), s, 1, "a").wantDone(t, "taken by the old one")
		p := pull(t.Context(), s, Pull{Attach: 1, Wait: -1})
		time.Sleep(time.Second)
		synctest.Wait()
		if r := p.wantDone(t, "the old one says nothing that might not be true"); r.Later == 0 || len(r.Frames) > 0 {
			t.Errorf("got %+v", r)
		}
		wantEnd(t, s, "it lets go", Moved)
		if b.closed[0] != "elsewhere" {
			t.Errorf("closed: %v", b.closed)
		}
		if _, err := s.Push(t.Context(), 1, frames("x")); !errors.As(err, new(*Suspended)) {
			t.Errorf("a push to it: %v", err)
		}
		push(t.Context(), again, 1, "a").wantDone(t, "taken by the new one")
		if err := again.Stored(t.Context()); err != nil {
			t.Error(err)
		}
		next.Shutdown(t.Context())
	}))
	t.Run("what waits to be stored when it turns out to be another's is not told either", bubble(func(t *testing.T) {
		store, b := newShelf(), new(counting)
		s := newStored(t, store, b)
		s.Stored(t.Context())
		next := crash(t, store, b)
		lookup(t, next, s.ID())

		store.held = make(chan struct{})
		stored := make(chan error)
		go func() { stored <- s.Stored(t.Context()) }() // it is on its way, in vain
		synctest.Wait()
		time.Sleep(time.Second)
		push(t.Context(), s, 1, "a").wantDone(t, "taken by the old one")
		p := pull(t.Context(), s, Pull{Attach: 1, Wait: -1})
		p.wantWaiting(t, "for the next time")
		close(store.held)
		if err := <-stored; !errors.As(err, new(*Suspended)) {
			t.Errorf("got %v", err)
		}
		if r := p.wantDone(t, "nothing is told"); r.Later == 0 || len(r.Frames) > 0 || r.Ack > 0 {
			t.Errorf("got %+v", r)
		}
		next.Shutdown(t.Context())
	}))
	t.Run("what cannot be stored is not acknowledged", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		store.fail = errors.New("full")
		push(t.Context(), s, 1, "a").wantDone(t, "taken")
		if err := s.Stored(t.Context()); !errors.As(err, new(*Suspended)) {
			t.Errorf("got %v", err)
		}
		store.fail = nil
		if err := s.Stored(t.Context()); err != nil {
			t.Errorf("there is room again: %v", err)
		}
		s.manager.Shutdown(t.Context())
	}))
	t.Run("answers that wait are stored together", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		for i := range 100 {
			go s.Push(t.Context(), uint64(i+1), frames("x"))
			go s.Stored(t.Context())
		}
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if store.saves > 3 {
			t.Errorf("%d saves", store.saves)
		}
		s.manager.Shutdown(t.Context())
	}))
	t.Run("that there is nothing to say is stored now and then only", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		s.Stored(t.Context())
		for range 200 {
			pull(t.Context(), s, Pull{Wait: 10 * time.Second})
			time.Sleep(10*time.Second + time.Millisecond)
			synctest.Wait()
		}
		if store.saves < 3 || store.saves > 5 {
			t.Errorf("%d saves in half an hour", store.saves)
		}
		s.manager.Shutdown(t.Context())
	}))
	t.Run("a session that is over is deleted, after its end was stored for nobody", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, new(counting))
		s.Stored(t.Context())
		s.Terminate(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(store.saved) != 0 {
			t.Error("it is still there")
		}
		if _, err := crash(t, store, new(counting)).Lookup(t.Context(), s.ID()); err != ErrNoSession {
			t.Errorf("got %v", err)
		}
	}))
	t.Run("nothing is stored of what cannot go on", bubble(func(t *testing.T) {
		store := newShelf()
		s := newStored(t, store, &recorder{})
		s.Stored(t.Context())
		if store.saves != 0 {
			t.Errorf("%d saves", store.saves)
		}
		s.manager.Shutdown(t.Context())
	}))
	t.Run("a restart in good order goes on from the store", bubble(func(t *testing.T) {
		store, b := newShelf(), new(counting)
		s := newStored(t, store, b)
		s.Stored(t.Context())
		if n := suspend(t, s.manager, Suspension{}); n != 1 || len(store.saved) != 1 {
			t.Errorf("%d saved, %d there", n, len(store.saved))
		}
		next := crash(t, store, b)
		push(t.Context(), lookup(t, next, s.ID()), 1, "a").wantDone(t, "taken")
		next.Shutdown(t.Context())
	}))
}
