package transport

import (
	"testing"
	"time"
)

func TestAnswersKeptAreBounded(t *testing.T) {
	const maxAnswers = 50
	m := newMachine(Params{
		Wait: time.Minute, Inactivity: time.Minute, Requests: 2, FirstSeq: 1, MaxInbox: 1000, MaxOutbox: 1 << 20,
	}, time.Time{})
	m.maxAnswers = maxAnswers
	ask := func(seq uint64) (r Response, err error) {
		var fx effects
		_, err = m.exchange(time.Time{}, Request{Seq: seq}, func(answer Response) { r = answer }, &fx)
		carryOut(&fx)
		return r, err
	}
	for seq := range uint64(1000) { // a client that acknowledges nothing
		var fx effects
		m.send(time.Time{}, Frame{Data: []byte("x")}, &fx)
		if _, err := ask(seq + 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.answers) != maxAnswers || len(m.out.frames) != maxAnswers {
		t.Errorf("%d answers and %d frames are kept", len(m.answers), len(m.out.frames))
	}
	if _, err := ask(1000 - maxAnswers); err != ErrGone {
		t.Errorf("what fell out of them: %v, want ErrGone", err)
	}
	r, err := ask(1000 - maxAnswers + 1)
	if wantFrames(t, r, "the oldest that is kept", "x"); err != nil {
		t.Error(err)
	}
}

// A session is meant for numbered requests or for pulls. One that mixes them
// gets each frame on either line.
func TestFramesAcknowledgedOtherwiseNeedNoAnswer(t *testing.T) {
	bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		for _, data := range []string{"a", "b"} {
			st.TrySend([]byte(data))
		}
		s.Ack(1)
		wantFrames(t, exchange(t.Context(), s, Request{Seq: 1}).wantDone(t, "there is one"), "the other one", "b")
		st.TrySend([]byte("c"))
		wantFrames(t, pull(t.Context(), s, Pull{After: 2}).wantDone(t, "there is one"), "the cursor counts", "c")
		if r := exchange(t.Context(), s, Request{Seq: 1}); r.wantDone(t, "released").Seq != 0 || r.err != ErrGone {
			t.Errorf("a copy: %v, want ErrGone", r.err)
		}
	})(t)
}
