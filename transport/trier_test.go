package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A trier is a backend whose receivers try first.
type trier struct {
	recorder
	onTry func(st *Stream, p []byte) (bool, error)
}

func (b *trier) Open(ctx context.Context, st *Stream) (Receiver, error) {
	r, err := b.recorder.Open(ctx, st)
	return trying{r.(recording), b}, err
}

type trying struct {
	recording
	backend *trier
}

func (r trying) TryReceive(p []byte) (bool, error) {
	r.note("%s tries %s", r.st.Name(), p)
	return r.backend.onTry(r.st, p)
}

func TestTryReceive(t *testing.T) {
	always := func(*Stream, []byte) (bool, error) { return true, nil }

	t.Run("a carrier hands over what it brought before it goes", bubble(func(t *testing.T) {
		b := &trier{onTry: always}
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, frames("a", "b"))
		b.mu.Lock()
		defer b.mu.Unlock()
		if want := []string{"open s", "s tries a", "s tries b"}; !slices.Equal(b.log, want) {
			t.Errorf("the backend was told %q, want %q", b.log, want)
		}
	}))
	t.Run("what would have to wait does not hold the carrier up", bubble(func(t *testing.T) {
		b := &trier{onTry: func(_ *Stream, p []byte) (bool, error) { return p[0] == 'a', nil }}
		free := make(chan struct{})
		b.onReceive = func(*Stream, []byte) error { <-free; return nil }
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, frames("a", "b", "c"))
		s.Push(t.Context(), 4, frames("a"))
		b.want(t, "b waits, and all behind it", "open s", "s tries a", "s tries b", "s receives b")
		close(free)
		b.want(t, "in order", "s receives c", "s receives a")
		s.Push(t.Context(), 5, frames("a"))
		b.want(t, "and then as at first", "s tries a")
	}))
	t.Run("an error ends the stream, and nothing follows", bubble(func(t *testing.T) {
		b := &trier{onTry: func(*Stream, []byte) (bool, error) { return false, errors.New("no") }}
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, frames("a", "b"))
		wantEnd(t, s, "it was the last stream", BackendError)
		b.want(t, "error", "open s", "s tries a", "close s: backend-error")
	}))
	t.Run("a panic ends the session, and nothing follows", bubble(func(t *testing.T) {
		b := &trier{onTry: func(*Stream, []byte) (bool, error) { panic("oops") }}
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, frames("a", "b"))
		wantEnd(t, s, "panic", Internal)
		b.want(t, "panic", "open s", "s tries a", "close s: internal")
	}))
	t.Run("the end is not the carrier's to wait for", bubble(func(t *testing.T) {
		b := &trier{onTry: always}
		free := make(chan struct{})
		b.onClose = func(*Stream, error) { <-free }
		s, _ := newSession(t, b, testParams)
		r := exchange(t.Context(), s, Request{Seq: 1, Frames: frames("a"), End: true})
		r.wantDone(t, "answered while Close runs")
		b.want(t, "what came before the end", "open s", "s receives a", "close s: normal by client")
		close(free)
	}))
	t.Run("a backend that sends to another session is not called back", bubble(func(t *testing.T) {
		// What a send makes room for is somebody else's to hand over: the sender may hold locks.
		var sending atomic.Bool
		b := &trier{}
		b.onTry = func(st *Stream, _ []byte) (bool, error) {
			if sending.Load() {
				t.Error("called while it sends")
			}
			sending.Store(true)
			defer sending.Store(false)
			return true, st.TrySend([]byte("echo"))
		}
		s, _ := newSession(t, b, testParams)
		for n := range uint64(5) {
			s.Push(t.Context(), n+1, frames("a"))
		}
		wantEnd(t, s, "all is well", "")
	}))
}

// However often a receiver must wait, and whoever brings what it gets, frames
// come once, in order, and one at a time.
func TestTryReceiveKeepsOrder(t *testing.T) {
	bubble(func(t *testing.T) {
		dice := rand.New(rand.NewPCG(1, 2))
		var busy atomic.Int32
		var got []string
		take := func(p []byte) error {
			if busy.Add(1) != 1 {
				t.Error("calls overlap")
			}
			got = append(got, string(p))
			busy.Add(-1)
			return nil
		}
		b := &trier{onTry: func(_ *Stream, p []byte) (bool, error) {
			if dice.IntN(3) == 0 {
				return false, nil
			}
			return true, take(p)
		}}
		b.onReceive = func(_ *Stream, p []byte) error { return take(p) }
		s, _ := newSession(t, b, testParams)
		var want []string
		for n := range uint64(1000) {
			want = append(want, fmt.Sprint(n))
			if _, err := s.Push(t.Context(), n+1, frames(fmt.Sprint(n))); err != nil {
				t.Fatal(err)
			}
		}
		if synctest.Wait(); !slices.Equal(got, want) {
			t.Errorf("got %.100q", got)
		}
	})(t)
}
