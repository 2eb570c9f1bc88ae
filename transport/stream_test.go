package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSend(t *testing.T) {
	setup := func(t *testing.T) (*Session, *Stream) {
		s, st := newSession(t, &recorder{}, testParams)
		if err := st.TrySend([]byte(large)); err != nil {
			t.Fatal(err)
		}
		return s, st
	}
	t.Run("TrySend does not wait for room", bubble(func(t *testing.T) {
		s, st := setup(t)
		if err := st.TrySend([]byte("x")); err != ErrFull {
			t.Errorf("err = %v, want ErrFull", err)
		}
		s.Ack(1)
		if err := st.TrySend([]byte("x")); err != nil {
			t.Errorf("after the acknowledgement: %v", err)
		}
	}))
	t.Run("Send waits for room", bubble(func(t *testing.T) {
		s, st := setup(t)
		first, second := send(t.Context(), st, "a"), send(t.Context(), st, "a")
		time.Sleep(20 * time.Second)
		first.wantWaiting(t, "no room")
		second.wantWaiting(t, "no room")
		s.Ack(1)
		first.wantDone(t, "acknowledged")
		second.wantDone(t, "acknowledged")
		r := pull(t.Context(), s, Pull{After: 1})
		wantFrames(t, r.wantDone(t, "both"), "what was sent", "a", "a")
	}))
	t.Run("TrySend takes all frames or none", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		half := []byte(large[:500])
		st.TrySend(half)
		if err := st.TrySend([]byte("x"), half); err != ErrFull {
			t.Errorf("err = %v, want ErrFull", err)
		}
		r := pull(t.Context(), s, Pull{After: 0})
		wantFrames(t, r.wantDone(t, "there is one"), "the batch that did not fit left nothing", string(half))
	}))
	t.Run("Send hands on what there is room for, and then the rest", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		held := pull(t.Context(), s, Pull{Wait: time.Minute})
		held.wantWaiting(t, "nothing was sent")
		r := start(func() (struct{}, error) {
			return struct{}{}, st.Send(t.Context(), []byte("a"), []byte("b"), []byte(large), []byte("c"))
		})
		wantFrames(t, held.wantDone(t, "some have room"), "in one response", "a", "b")
		r.wantWaiting(t, "no room for the third")
		s.Ack(2)
		r.wantWaiting(t, "no room for the fourth")
		s.Ack(3)
		r.wantDone(t, "all have room")
		last := pull(t.Context(), s, Pull{After: 3})
		wantFrames(t, last.wantDone(t, "there is one"), "the last", "c")
	}))
	t.Run("Send waits until the context is done", bubble(func(t *testing.T) {
		s, st := setup(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := send(ctx, st, "x")
		time.Sleep(5*time.Second - nanosecond)
		r.wantWaiting(t, "a nanosecond before")
		time.Sleep(nanosecond)
		if r.wantDone(t, "timeout"); r.err != context.DeadlineExceeded {
			t.Errorf("err = %v", r.err)
		}
		if len(s.waiters) != 0 {
			t.Error("somebody still counts as waiting")
		}
	}))
	t.Run("Send learns that the session ends", bubble(func(t *testing.T) {
		s, st := setup(t)
		r := send(t.Context(), st, "x")
		r.wantWaiting(t, "no room")
		s.Terminate(&Termination{Condition: Policy})
		if r.wantDone(t, "over"); conditionOf(r.err) != "policy" {
			t.Errorf("err = %v", r.err)
		}
		if err := st.TrySend(nil); conditionOf(err) != "policy" {
			t.Errorf("later: %v", err)
		}
	}))
	t.Run("Send learns that the stream is closed", bubble(func(t *testing.T) {
		s, st := setup(t)
		openStream(t, s, "other")
		r := send(t.Context(), st, "x")
		r.wantWaiting(t, "no room")
		st.Close(nil)
		if r.wantDone(t, "closed"); r.err != ErrStreamClosed {
			t.Errorf("err = %v", r.err)
		}
		if err := st.TrySend(nil); err != ErrStreamClosed {
			t.Errorf("later: %v", err)
		}
	}))
}

func TestReceive(t *testing.T) {
	t.Run("calls come in order and never overlap", bubble(func(t *testing.T) {
		var busy atomic.Int32
		b := &recorder{onReceive: func(*Stream, []byte) error {
			if busy.Add(1) != 1 {
				t.Error("calls overlap")
			}
			time.Sleep(time.Second)
			busy.Add(-1)
			return nil
		}}
		p := testParams
		p.Requests, p.MaxInbox = 100, 100_000
		p.Inactivity = 5 * time.Minute
		s, _ := newSession(t, b, p)
		want := []string{"open s"}
		for n := range uint64(50) {
			want = append(want, fmt.Sprintf("s receives %d", n))
			push(t.Context(), s, n^1+1, fmt.Sprint(n^1)) // each pair the wrong way round
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		b.want(t, "order", want...)
	}))
	t.Run("streams do not wait for each other", bubble(func(t *testing.T) {
		stuck := make(chan struct{})
		b := &recorder{onReceive: func(st *Stream, _ []byte) error {
			if st.Name() == "s" {
				<-stuck
			}
			return nil
		}}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other")
		s.Push(t.Context(), 1, []Frame{{Stream: "s", Data: []byte("a")}, {Stream: "other", Data: []byte("b")}})
		b.wantInAnyOrder(t, "one is stuck", "open s", "open other", "s receives a", "other receives b")
		close(stuck)
	}))
	t.Run("a frame without a name goes to every open stream", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other").Close(nil)
		b.want(t, "closed", "open s", "open other", "close other: normal")
		openStream(t, s, "third")
		s.Push(t.Context(), 1, frames("a"))
		b.wantInAnyOrder(t, "broadcast", "open third", "s receives a", "third receives a")
		if s.machine.in.pending != 0 {
			t.Errorf("%d bytes are still pending", s.machine.in.pending)
		}
	}))
	t.Run("a frame for no open stream is dropped", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, []Frame{{Stream: "nobody", Data: []byte("a")}})
		b.want(t, "dropped", "open s")
		if s.machine.in.pending != 0 {
			t.Errorf("%d bytes are still pending", s.machine.in.pending)
		}
	}))
	t.Run("what came before the end is received before Close", bubble(func(t *testing.T) {
		b := &recorder{onReceive: func(*Stream, []byte) error { time.Sleep(time.Second); return nil }}
		s, _ := newSession(t, b, testParams)
		exchange(t.Context(), s, Request{Seq: 1, Frames: frames("a", "b"), End: true}).wantDone(t, "answered")
		time.Sleep(time.Minute)
		b.want(t, "at the end", "open s", "s receives a", "s receives b", "close s: normal by client")
	}))
}

func TestStreamsEnd(t *testing.T) {
	t.Run("by an error from Receive, and nothing is received after it", bubble(func(t *testing.T) {
		b := &recorder{onReceive: func(st *Stream, p []byte) error {
			time.Sleep(time.Second) // so that more is waiting
			if string(p) == "b" {
				return errors.New("what is this?")
			}
			return nil
		}}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other")
		to := func(data string) Frame { return Frame{Stream: "s", Data: []byte(data)} }
		s.Push(t.Context(), 1, []Frame{to("a"), to("b")})
		s.Push(t.Context(), 3, []Frame{to("c"), to("d")})
		time.Sleep(10 * time.Second)
		b.want(t, "error", "open s", "open other", "s receives a", "s receives b", "close s: backend-error")
		wantEnd(t, s, "the other stream lives on", "")
		if s.machine.in.pending != 0 {
			t.Errorf("%d bytes are still pending", s.machine.in.pending)
		}
		r := pull(t.Context(), s, Pull{}).wantDone(t, "the client is told")
		if len(r.Frames) != 1 || r.Frames[0].Stream != "s" || r.Frames[0].End == nil || r.Frames[0].End.Condition != BackendError {
			t.Errorf("the client got %+v", r.Frames)
		}
	}))
	t.Run("with the condition that Receive returns", bubble(func(t *testing.T) {
		b := &recorder{onReceive: func(*Stream, []byte) error { return fmt.Errorf("no: %w", &Termination{Condition: Policy}) }}
		s, _ := newSession(t, b, testParams)
		s.Push(t.Context(), 1, frames("a"))
		wantEnd(t, s, "it was the last stream", Policy)
		b.want(t, "error", "open s", "s receives a", "close s: policy")
	}))
	t.Run("with their session by a panic in Receive", bubble(func(t *testing.T) {
		b := &recorder{onReceive: func(*Stream, []byte) error { panic("oops") }}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other")
		s.Push(t.Context(), 1, []Frame{{Stream: "s", Data: []byte("a")}, {Stream: "s", Data: []byte("b")}})
		wantEnd(t, s, "panic", Internal)
		b.wantInAnyOrder(t, "panic", "close other: internal", "close s: internal", "open other", "open s", "s receives a")
	}))
	t.Run("although Close panics", bubble(func(t *testing.T) {
		b := &recorder{onClose: func(*Stream, error) { panic("oops") }}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other").Close(nil)
		wantEnd(t, s, "panic", Internal)
		if err := s.manager.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}))
	t.Run("by the backend, one of several", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, b, testParams)
		openStream(t, s, "other")
		st.TrySend([]byte("last words"))
		st.Close(&Termination{Condition: Unreachable})
		st.Close(nil)
		b.want(t, "once", "open s", "open other", "close s: unreachable")
		r := pull(t.Context(), s, Pull{}).wantDone(t, "the client is told")
		if wantFrames(t, r, "what was sent, and the end", "last words", ""); r.Frames[1].End.Condition != Unreachable {
			t.Errorf("the client got %+v", r.Frames)
		}
		wantEnd(t, s, "the other lives on", "")
	}))
	t.Run("for the first reason, whatever follows", bubble(func(t *testing.T) {
		b := &recorder{onReceive: func(*Stream, []byte) error { time.Sleep(time.Second); return nil }}
		s, st := newSession(t, b, testParams)
		openStream(t, s, "other").Close(nil)
		third := openStream(t, s, "third")
		s.Push(t.Context(), 1, []Frame{{Stream: "s", Data: []byte("a")}})
		b.wantInAnyOrder(t, "busy", "open s", "open other", "close other: normal", "open third", "s receives a")
		st.Close(&Termination{Condition: Unreachable})
		third.Close(&Termination{Condition: Policy})
		time.Sleep(time.Second)
		b.wantInAnyOrder(t, "each its own", "close s: unreachable", "close third: policy")
	}))
	t.Run("although the client is far behind", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		openStream(t, s, "other")
		st.TrySend([]byte(large))
		st.Close(nil)
		r := pull(t.Context(), s, Pull{}).wantDone(t, "the client is told")
		if len(r.Frames) != 2 || r.Frames[1].End == nil {
			t.Errorf("the client got %d frames, want the end as well", len(r.Frames))
		}
	}))
	t.Run("by the backend, the last of them, and the session with it", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, b, testParams)
		openStream(t, s, "other").Close(nil)
		st.Close(nil)
		wantEnd(t, s, "no stream is left", Normal)
		b.wantInAnyOrder(t, "once each", "open s", "open other", "close other: normal", "close s: normal")
	}))
	t.Run("by the client, one of several", bubble(func(t *testing.T) {
		b := &recorder{}
		s, st := newSession(t, b, testParams)
		openStream(t, s, "other")
		s.Push(t.Context(), 1, []Frame{
			{Stream: "s", Data: []byte("bye")},
			{Stream: "s", End: &Termination{Condition: Normal, ByClient: true}},
			{Stream: "s", Data: []byte("too late")},
		})
		b.want(t, "in its turn", "open s", "open other", "s receives bye", "close s: normal by client")
		if err := st.TrySend(nil); err != ErrStreamClosed {
			t.Errorf("TrySend: %v", err)
		}
		r := pull(t.Context(), s, Pull{}).wantDone(t, "the client is told")
		if len(r.Frames) != 1 || r.Frames[0].End == nil || r.Frames[0].Stream != "s" {
			t.Errorf("the client got %+v", r.Frames)
		}
		wantEnd(t, s, "the other lives on", "")
		again := openStream(t, s, "s")
		if again.TrySend(nil) != nil {
			t.Error("the name can be used again")
		}
	}))
	t.Run("by the client, all of them", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		openStream(t, s, "other")
		s.Push(t.Context(), 1, []Frame{{End: &Termination{Condition: Normal, ByClient: true}}})
		wantEnd(t, s, "no stream is left", Normal)
		b.wantInAnyOrder(t, "both", "close other: normal by client", "close s: normal by client", "open other", "open s")
	}))
}

func TestResponsesCarryOneStreamIfAgreed(t *testing.T) {
	bubble(func(t *testing.T) {
		p := testParams
		p.OneStream = true
		s, st := newSession(t, &recorder{}, p)
		other := openStream(t, s, "other")
		for _, to := range []*Stream{st, st, other, st} {
			to.TrySend([]byte("for " + to.Name()))
		}
		for n, want := range [][]string{{"for s", "for s"}, {"for other"}, {"for s"}} {
			r := exchange(t.Context(), s, Request{Seq: uint64(n + 1)}).wantDone(t, "frames are there")
			wantFrames(t, r, "one stream", want...)
		}
	})(t)
}
