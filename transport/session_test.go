package transport

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const nanosecond = time.Nanosecond

func TestExchangeTakesItsTime(t *testing.T) {
	t.Run("a request is held until its wait is over", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		r := exchange(t.Context(), s, Request{Seq: 1})
		time.Sleep(time.Minute - nanosecond)
		r.wantWaiting(t, "a nanosecond before")
		time.Sleep(nanosecond)
		wantFrames(t, r.wantDone(t, "at its wait"), "nothing to say")
	}))
	t.Run("a held request is answered when the backend sends", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		r := exchange(t.Context(), s, Request{Seq: 1})
		time.Sleep(7 * time.Second)
		st.TrySend([]byte("x"))
		wantFrames(t, r.wantDone(t, "at once"), "the frame", "x")
	}))
	t.Run("a shorter wait of a later request moves the timer forward", bubble(func(t *testing.T) {
		p := testParams
		p.Hold = 2
		s, _ := newSession(t, &recorder{}, p)
		first := exchange(t.Context(), s, Request{Seq: 1})
		synctest.Wait()
		second := exchange(t.Context(), s, Request{Seq: 2, Wait: time.Second})
		time.Sleep(time.Second - nanosecond)
		second.wantWaiting(t, "a nanosecond before")
		time.Sleep(nanosecond)
		first.wantDone(t, "the elder is answered first")
		second.wantDone(t, "at its wait")
	}))
}

func TestInactivity(t *testing.T) {
	t.Run("a session without requests lives for the inactivity", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		time.Sleep(30*time.Second - nanosecond)
		wantEnd(t, s, "a nanosecond before", "")
		time.Sleep(nanosecond)
		wantEnd(t, s, "at the inactivity", Inactive)
	}))
	t.Run("it counts from the last answer", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		time.Sleep(20 * time.Second)
		exchange(t.Context(), s, Request{Seq: 1, Wait: 10 * time.Second}).wantWaiting(t, "held")
		time.Sleep(40*time.Second - nanosecond)
		wantEnd(t, s, "a nanosecond before", "")
		time.Sleep(nanosecond)
		wantEnd(t, s, "at the inactivity", Inactive)
	}))
	t.Run("a pause counts instead of it, once", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		exchange(t.Context(), s, Request{Seq: 1, Pause: time.Minute}).wantDone(t, "a pause is answered at once")
		time.Sleep(time.Minute - nanosecond)
		wantEnd(t, s, "during the pause", "")
		exchange(t.Context(), s, Request{Seq: 2, Wait: -1}).wantDone(t, "polled")
		time.Sleep(30 * time.Second)
		wantEnd(t, s, "the next silence is an ordinary one", Inactive)
	}))
	t.Run("a request that never gets its turn ends the session", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		r := exchange(t.Context(), s, Request{Seq: 2})
		time.Sleep(90*time.Second - nanosecond)
		r.wantWaiting(t, "wait and inactivity")
		time.Sleep(nanosecond)
		if end := r.wantDone(t, "the gap is given up").End; end == nil || end.Condition != OutOfWindow {
			t.Errorf("end = %v", end)
		}
	}))
}

// A call is Exchange or Pull; both can be taken back alike.
type call struct {
	name  string
	do    func(ctx context.Context, s *Session) *pending[Response]
	doFun func(s *Session, f func(Response)) (Pending, error)
}

var calls = []call{
	{"Exchange", func(ctx context.Context, s *Session) *pending[Response] {
		return exchange(ctx, s, Request{Seq: 1})
	}, func(s *Session, f func(Response)) (Pending, error) {
		return s.ExchangeFunc(Request{Seq: 1}, f)
	}},
	{"Pull", func(ctx context.Context, s *Session) *pending[Response] {
		return pull(ctx, s, Pull{Wait: time.Minute})
	}, func(s *Session, f func(Response)) (Pending, error) {
		return s.PullFunc(Pull{Wait: time.Minute}, f)
	}},
}

func TestCallsCanBeTakenBack(t *testing.T) {
	for _, c := range calls {
		t.Run(c.name+" returns the cause of its context", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			cause := errors.New("the client hung up")
			ctx, cancel := context.WithCancelCause(t.Context())
			r := c.do(ctx, s)
			r.wantWaiting(t, "held")
			cancel(cause)
			if r.wantDone(t, "hung up"); r.err != cause {
				t.Errorf("err = %v, want the cause", r.err)
			}
			st.TrySend([]byte("x"))
			wantFrames(t, c.do(t.Context(), s).wantDone(t, "a copy"), "nothing was spent on the first", "x")
		}))
		t.Run(c.name+" returns the answer that came with the cancellation", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			st.TrySend([]byte("x"))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r := c.do(ctx, s)
			if wantFrames(t, r.wantDone(t, "answered on arrival"), "spent", "x"); r.err != nil {
				t.Error(r.err)
			}
		}))
		t.Run(c.name+"Func can be stopped before it is answered", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			waiting, err := c.doFun(s, func(Response) { t.Error("called in spite of stop") })
			if err != nil || !waiting.Stop() {
				t.Fatalf("waiting.Stop() = false; %v", err)
			}
			if st.TrySend([]byte("x")); waiting.Stop() {
				t.Error("a second stop reports true")
			}
		}))
		t.Run(c.name+"Func cannot be stopped after it was answered", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			answers := 0
			waiting, _ := c.doFun(s, func(Response) { answers++ })
			if st.TrySend([]byte("x")); waiting.Stop() || answers != 1 {
				t.Errorf("answered %d times, stopped", answers)
			}
		}))
		t.Run(c.name+"Func may be answered before it returns", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			st.TrySend([]byte("x"))
			var got Response
			waiting, err := c.doFun(s, func(r Response) { got = r })
			if wantFrames(t, got, "on arrival", "x"); err != nil || waiting.Stop() {
				t.Errorf("stopped after the answer; %v", err)
			}
		}))
		t.Run(c.name+"Func of an older copy is told Replaced, and its stop stops nothing", bubble(func(t *testing.T) {
			s, st := newSession(t, &recorder{}, testParams)
			var first, second Response
			waiting, _ := c.doFun(s, func(r Response) { first = r })
			c.doFun(s, func(r Response) { second = r })
			if !first.Replaced || waiting.Stop() {
				t.Errorf("the older copy got %+v", first)
			}
			st.TrySend([]byte("x"))
			wantFrames(t, second, "the newer copy", "x")
		}))
	}
}

func TestCallsOnWhatIsNotThere(t *testing.T) {
	bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		if r := exchange(t.Context(), s, Request{Seq: 9}); r.wantDone(t, "above the window").Seq != 0 || r.err != ErrWindow {
			t.Errorf("exchange: %v, want ErrWindow", r.err)
		}
		if r := pull(t.Context(), s, Pull{After: 1}); r.wantDone(t, "above what was sent").Seq != 0 || r.err != ErrAhead {
			t.Errorf("pull: %v, want ErrAhead", r.err)
		}
		if err := s.Ack(1); err != ErrAhead {
			t.Errorf("ack: %v, want ErrAhead", err)
		}
		st.TrySend([]byte("x"))
		s.Ack(1)
		if r := pull(t.Context(), s, Pull{}); r.wantDone(t, "released").Seq != 0 || r.err != ErrGone {
			t.Errorf("pull: %v, want ErrGone", r.err)
		}
		if s.Attach(3, 1); s.Attach(3, 1) != ErrReplaced || s.Attach(2, 1) != ErrReplaced {
			t.Error("attach: want ErrReplaced for a number that is not above all before")
		}
		wantEnd(t, s, "none of them harms the session", "")
	})(t)
}

// large fills a queue of testParams with one frame.
var large = strings.Repeat("x", 1000)

func TestPushWaitsWhileBackendsAreBehind(t *testing.T) {
	setup := func(t *testing.T) (s *Session, b *recorder, resume func()) {
		resumed := make(chan struct{})
		b = &recorder{onReceive: func(*Stream, []byte) error { <-resumed; return nil }}
		p := testParams
		p.Requests = 10
		s, _ = newSession(t, b, p)
		if r := push(t.Context(), s, 1, large); r.wantDone(t, "there is room") != 1 {
			t.Fatalf("acknowledged %d", r.value)
		}
		return s, b, func() { close(resumed) }
	}
	t.Run("until they have taken something", bubble(func(t *testing.T) {
		s, _, resume := setup(t)
		r := push(t.Context(), s, 2, "a", "b")
		time.Sleep(20 * time.Second)
		r.wantWaiting(t, "backends are behind")
		if resume(); r.wantDone(t, "taken") != 3 {
			t.Errorf("acknowledged %d", r.value)
		}
	}))
	t.Run("also when several wait", bubble(func(t *testing.T) {
		s, _, resume := setup(t)
		first, second := push(t.Context(), s, 2, "a", "b"), push(t.Context(), s, 2, "a", "b")
		time.Sleep(20 * time.Second)
		first.wantWaiting(t, "backends are behind")
		second.wantWaiting(t, "backends are behind")
		if resume(); first.wantDone(t, "taken") != 3 || second.wantDone(t, "taken") != 3 {
			t.Errorf("acknowledged %d and %d", first.value, second.value)
		}
	}))
	t.Run("until the context is done", bubble(func(t *testing.T) {
		s, _, resume := setup(t)
		defer resume()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r := push(ctx, s, 2, "a")
		time.Sleep(5 * time.Second)
		if r.wantDone(t, "timeout") != 1 || r.err != context.DeadlineExceeded {
			t.Errorf("acknowledged %d, %v", r.value, r.err)
		}
		if len(s.waiters) != 0 {
			t.Error("somebody still counts as waiting")
		}
	}))
	t.Run("until the session ends", bubble(func(t *testing.T) {
		s, _, resume := setup(t)
		defer resume()
		r := push(t.Context(), s, 2, "a")
		r.wantWaiting(t, "backends are behind")
		s.Terminate(nil)
		var end *Termination
		if r.wantDone(t, "over"); !errors.As(r.err, &end) {
			t.Errorf("err = %v, want the termination", r.err)
		}
	}))
	t.Run("a request is not answered to make room for the next", bubble(func(t *testing.T) {
		s, _, resume := setup(t)
		first, second := exchange(t.Context(), s, Request{Seq: 2}), exchange(t.Context(), s, Request{Seq: 3})
		time.Sleep(20 * time.Second)
		first.wantWaiting(t, "backends are behind")
		resume()
		first.wantDone(t, "taken")
		second.wantWaiting(t, "held")
	}))
	t.Run("what nobody takes makes room at once", bubble(func(t *testing.T) {
		s, b, resume := setup(t)
		resume()
		b.want(t, "taken", "open s", "s receives "+large)
		nobody := []Frame{{Stream: "closed long ago", Data: []byte(large)}}
		first := exchange(t.Context(), s, Request{Seq: 2})
		synctest.Wait()
		second := exchange(t.Context(), s, Request{Seq: 3, Frames: nobody})
		first.wantDone(t, "the second takes its place")
		second.wantWaiting(t, "held")
	}))
}
