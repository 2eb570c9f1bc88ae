package transport

import (
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	t.Run("what is open and what waits", bubble(func(t *testing.T) {
		p := testParams
		p.Requests = 4
		s, st := newSession(t, &recorder{}, p)
		if got := s.Status(); got.Next != 1 || got.Window != 4 || got.Streams != 1 || got.Quiet.IsZero() || got.Slots != 0 {
			t.Errorf("at first %+v", got)
		}
		exchange(t.Context(), s, Request{Seq: 1}).wantWaiting(t, "held")
		exchange(t.Context(), s, Request{Seq: 3, Frames: []Frame{{Data: []byte("early")}}}).wantWaiting(t, "above a gap")
		if got := s.Status(); got.Next != 2 || got.Slots != 2 || got.Early != 1 || got.EarlyBytes == 0 || !got.Quiet.IsZero() {
			t.Errorf("two requests later %+v", got)
		}
		st.TrySend([]byte("x"))
		if got := s.Status(); got.Base != 0 || got.Last != 1 || got.OutboxBytes == 0 || got.Slots != 1 || got.Answers != 1 || got.OutboxFull() {
			t.Errorf("answered %+v", got)
		}
		st.TrySend(make([]byte, p.MaxOutbox-s.Status().OutboxBytes-frameOverhead))
		if got := s.Status(); !got.OutboxFull() || got.Last != 2 {
			t.Errorf("with much in the outbox %+v", got)
		}
		s.Ack(2)
		if got := s.Status(); got.Base != 2 || got.OutboxBytes != 0 || got.OutboxFull() {
			t.Errorf("acknowledged %+v", got)
		}
		s.Terminate(nil)
		if got := s.Status(); !got.Over || got.Slots != 0 {
			t.Errorf("over %+v", got)
		}
	}))
	t.Run("a pull", bubble(func(t *testing.T) {
		s, _ := newSession(t, &recorder{}, testParams)
		pull(t.Context(), s, Pull{Wait: time.Second}).wantWaiting(t, "open")
		if got := s.Status(); !got.Pulling || !got.Quiet.IsZero() {
			t.Errorf("%+v", got)
		}
	}))
	t.Run("it allocates nothing", func(t *testing.T) {
		m, streams := idleSessions(t, 1)
		defer shutdown(t, m)
		s := streams[0].Session()
		if n := testing.AllocsPerRun(100, func() { s.Status() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
