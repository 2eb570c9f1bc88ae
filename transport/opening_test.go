package transport

import (
	"context"
	"errors"
	"testing"
	"time"
)

// opens is a request that opens a stream and sends it a frame.
func opens(seq uint64, name string) Request {
	return Request{
		Seq:    seq,
		Wait:   -1,
		Open:   &Opening{Context: context.Background(), Name: name, Target: "t"},
		Frames: []Frame{{Stream: name, Data: []byte("hello")}},
		Note:   name,
	}
}

func TestRequestsOpenStreams(t *testing.T) {
	t.Run("the request is answered at once, without frames, after those before it", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, b, testParams)
		held := exchange(t.Context(), s, Request{Seq: 1})
		held.wantWaiting(t, "nothing to say")
		b.onOpen = func(_ context.Context, opened *Stream) error {
			return opened.TrySend([]byte("welcome to " + opened.Target()))
		}
		r := exchange(t.Context(), s, opens(2, "other")).wantDone(t, "opens a stream")
		wantFrames(t, r, "the new stream is not the answer's only")
		if r.Note != "other" {
			t.Errorf("note %v", r.Note)
		}
		held.wantDone(t, "it comes first")
		b.wantInAnyOrder(t, "one stream more", "open s", "open other", "other receives hello")
		r = exchange(t.Context(), s, Request{Seq: 3}).wantDone(t, "there is something")
		wantFrames(t, r, "what its backend sent", "welcome to t")
		st.Close(nil)
		if s.Err() != nil {
			t.Error("the session ended with one of two streams")
		}
	}))

	t.Run("an early one waits for its turn", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		early := exchange(t.Context(), s, opens(2, "other"))
		early.wantWaiting(t, "one is missing")
		b.want(t, "not yet", "open s")
		exchange(t.Context(), s, Request{Seq: 1}).wantDone(t, "it makes room")
		early.wantDone(t, "in its turn")
		b.want(t, "now", "open other", "other receives hello")
	}))

	t.Run("a repeat opens nothing", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		exchange(t.Context(), s, opens(1, "other")).wantDone(t, "opens a stream")
		r := exchange(t.Context(), s, opens(1, "again")).wantDone(t, "a repeat")
		if r.Note != "other" {
			t.Errorf("note %v, want the first copy's", r.Note)
		}
		b.want(t, "one stream", "open s", "open other", "other receives hello")
	}))

	t.Run("what a backend refuses is the stream's end", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		b.onOpen = func(context.Context, *Stream) error { return errors.New("no") }
		exchange(t.Context(), s, opens(1, "other")).wantDone(t, "opens a stream")
		r := exchange(t.Context(), s, Request{Seq: 2}).wantDone(t, "the end of it")
		if len(r.Frames) != 1 || r.Frames[0].Stream != "other" || r.Frames[0].End == nil || r.Frames[0].End.Condition != BackendError {
			t.Errorf("frames %+v", r.Frames)
		}
		exchange(t.Context(), s, Request{Seq: 3}).wantWaiting(t, "the other lives")
	}))

	t.Run("so is what is one too many", bubble(func(t *testing.T) {
		s := newBareSession(t, &Options{Backend: &recorder{}, MaxStreams: 1}, testParams)
		openStream(t, s, "s")
		exchange(t.Context(), s, opens(1, "other")).wantDone(t, "opens a stream")
		r := exchange(t.Context(), s, Request{Seq: 2}).wantDone(t, "the end of it")
		if len(r.Frames) != 1 || r.Frames[0].End == nil || !errors.Is(r.Frames[0].End, ErrTooManyStreams) {
			t.Errorf("frames %+v", r.Frames)
		}
	}))

	t.Run("a session whose only stream is refused ends", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, b, testParams)
		stay := make(chan struct{})
		b.onOpen = func(context.Context, *Stream) error { <-stay; return errors.New("no") }
		exchange(t.Context(), s, opens(1, "other")).wantDone(t, "opens a stream")
		st.Close(nil)
		if s.Err() != nil {
			t.Fatal("it ended while a stream is being opened")
		}
		close(stay)
		wantEnd(t, s, "none is left", BackendError)
	}))

	t.Run("a session that ends while one is being opened closes it", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		stay := make(chan struct{})
		b.onOpen = func(context.Context, *Stream) error { <-stay; return nil }
		exchange(t.Context(), s, opens(1, "other")).wantDone(t, "opens a stream")
		s.Terminate(nil)
		close(stay)
		b.wantInAnyOrder(t, "both", "open s", "open other", "other receives hello", "close s: normal", "close other: normal")
	}))
}

// bouncer writes down what it gets back.
type bouncer struct {
	Receiver
	b *recorder
}

func (r bouncer) Bounce(frames [][]byte) { r.b.note("bounce %q", frames) }

func TestBounce(t *testing.T) {
	bouncing := func(b *recorder) Backend {
		return BackendFunc(func(ctx context.Context, st *Stream) (Receiver, error) {
			r, err := b.Open(ctx, st)
			return bouncer{r, b}, err
		})
	}
	for _, test := range []struct {
		name string
		end  func(t *testing.T, s *Session)
		want []string
	}{
		{"silence", func(t *testing.T, s *Session) { time.Sleep(testParams.Inactivity) },
			[]string{`bounce ["c" "d"]`, "close s: inactive"}},
		{"the client ends it", func(t *testing.T, s *Session) {
			exchange(t.Context(), s, Request{Seq: 2, End: true}).wantDone(t, "the end")
		}, []string{`bounce ["c" "d"]`, "close s: normal by client"}},
		{"we end it: the client will ask for the rest", func(t *testing.T, s *Session) { s.Terminate(nil) },
			[]string{"close s: normal"}},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			b := &recorder{}
			s, st := newSession(t, bouncing(b), testParams)
			st.TrySend([]byte("a"))
			r := exchange(t.Context(), s, Request{Seq: 1}).wantDone(t, "there is something")
			wantFrames(t, r, "not acknowledged, but sent", "a")
			st.TrySend([]byte("c"))
			st.TrySend([]byte("d"))
			b.want(t, "open", "open s")
			test.end(t, s)
			b.want(t, "at the end", test.want...)
		}))
	}

	t.Run("pulled frames count as sent", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, bouncing(b), testParams)
		st.TrySend([]byte("a"))
		pull(t.Context(), s, Pull{}).wantDone(t, "there is something")
		st.TrySend([]byte("b"))
		b.want(t, "open", "open s")
		s.Terminate(&Termination{Condition: Inactive})
		b.want(t, "at the end", `bounce ["b"]`, "close s: inactive")
	}))

	t.Run("each stream gets its own", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, bouncing(b), testParams)
		other := openStream(t, s, "other")
		st.TrySend([]byte("a"))
		other.TrySend([]byte("b"))
		b.want(t, "open", "open s", "open other")
		s.Terminate(&Termination{Condition: Inactive})
		b.wantInAnyOrder(t, "at the end", `bounce ["a"]`, `bounce ["b"]`, "close s: inactive", "close other: inactive")
	}))
}
