package transport

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// machineFrom returns a machine of a small session, and its beginning.
func machineFrom(p Params) (*machine, time.Time) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := newMachine(p.clamp(new((&Options{}).withDefaults().Limits)), start)
	return &m, start
}

func TestEarlyRequestWithoutRoom(t *testing.T) {
	m, now := machineFrom(Params{Hold: 1, Requests: 4, Wait: time.Minute, MaxInbox: 100})
	big := []Frame{{Data: make([]byte, 80)}}
	var fx effects
	answered := func(Response) {}
	if _, err := m.exchange(now, Request{Seq: 2, Frames: big}, answered, &fx); err != nil {
		t.Fatalf("the first early request is kept whatever its size: %v", err)
	}
	if _, err := m.exchange(now, Request{Seq: 3, Frames: big}, answered, &fx); !errors.Is(err, ErrFull) {
		t.Fatalf("one too many: %v, want ErrFull", err)
	}
	if _, err := m.exchange(now, Request{Seq: 1}, answered, &fx); err != nil {
		t.Fatal(err)
	}
	if _, err := m.exchange(now, Request{Seq: 3, Frames: big}, answered, &fx); err != nil {
		t.Fatalf("its repeat: %v", err)
	}
	if len(fx.accepted) != 2 || m.in.accepted() != 3 {
		t.Errorf("%d frames, requests up to %d accepted, want 2 and 3", len(fx.accepted), m.in.accepted())
	}
}

func TestLastWordsAreRepeated(t *testing.T) {
	m, now := machineFrom(Params{Hold: 1, Requests: 2, Wait: time.Minute})
	var fx effects
	m.send(now, Frame{Data: []byte("last words")}, &fx)
	m.terminate(now, &Termination{Condition: BackendError}, &fx)
	for range 2 { // the client asks after the end, and again since the answer was lost
		var got Response
		var fx effects
		if _, err := m.exchange(now, Request{Seq: 1}, func(r Response) { got = r }, &fx); err != nil {
			t.Fatal(err)
		}
		for _, r := range fx.replies() {
			r.to(r.response)
		}
		if got.End == nil || len(got.Frames) != 1 || !bytes.Equal(got.Frames[0].Data, []byte("last words")) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestInactivityCountsFromTheLastAnswer(t *testing.T) {
	m, now := machineFrom(Params{Requests: 1, Inactivity: time.Minute})
	poll := func(seq uint64) {
		t.Helper()
		var fx effects
		if _, err := m.exchange(now, Request{Seq: seq}, func(Response) {}, &fx); err != nil || len(fx.replies()) != 1 {
			t.Fatalf("request %d: %v, %d answers", seq, err, len(fx.replies()))
		}
	}
	for seq := uint64(1); seq <= 3; seq++ {
		now = now.Add(50 * time.Second)
		m.advance(now, &effects{})
		poll(seq) // answered on the spot
		now = now.Add(50 * time.Second)
		m.advance(now, &effects{})
		poll(seq) // a copy: again
	}
	now = now.Add(time.Minute - 1)
	if m.advance(now, &effects{}); m.end != nil {
		t.Fatalf("too early: %v", m.end)
	}
	now = now.Add(1)
	if m.advance(now, &effects{}); m.end == nil || m.end.Condition != Inactive {
		t.Errorf("got %v", m.end)
	}
}

func TestReport(t *testing.T) {
	m, now := machineFrom(Params{Hold: 1, Requests: 2, Wait: time.Minute})
	var got Response
	request := func(r Request) bool {
		got = Response{}
		var fx effects
		if _, err := m.exchange(now, r, func(Response) {}, &fx); err != nil {
			t.Fatal(err)
		}
		for _, reply := range fx.replies() {
			got = reply.response
		}
		return got.Seq == r.Seq
	}
	for seq := uint64(1); seq <= 3; seq++ {
		request(Request{Seq: seq, Wait: -1})
		now = now.Add(time.Second)
	}
	for range 2 { // and again, byte for byte
		if !request(Request{Seq: 4, AckSeq: 1, Report: true}) || got.Report != 2 || got.Reported != 2*time.Second {
			t.Errorf("got %+v, want answer 2 reported", got)
		}
		now = now.Add(time.Second)
	}
	if request(Request{Seq: 5, AckSeq: 4, Report: true}) {
		t.Errorf("got %+v, though nothing is missing", got)
	}
	if request(Request{Seq: 6, AckSeq: 5, Report: true}) {
		t.Errorf("got %+v, though what is missing was answered with this", got)
	}
}
