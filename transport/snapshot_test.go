package transport

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

// A lock is a gate that can be saved: one word.
type lock struct{ word string }

func (l *lock) Admit(Turn) *Termination             { return nil }
func (l *lock) Apart(_, _ []byte) bool              { return false }
func (l *lock) AppendGate(dst []byte) []byte        { return append(dst, l.word...) }
func (l *lock) AppendNote(dst []byte, n any) []byte { return append(dst, n.(string)...) }

func (l *lock) LoadNote(data []byte) (any, error) { return string(data), nil }
func (l *lock) LoadGate(_ Params, data []byte) (Gate, error) {
	if len(data) > 20 {
		return nil, errors.New("a word is short")
	}
	return &lock{string(data)}, nil
}

var anyLock = func(protocol string) GateLoader {
	if protocol != "locked" {
		return nil
	}
	return new(lock)
}

var someTime = time.Unix(1_800_000_000, 0)

// someSession is a machine with something of everything.
func someSession() (*machine, []savedStream) {
	p := testParams
	p.Protocol, p.Secret, p.FirstSeq, p.Requests = "locked", "s3cret", 7, 4
	p.Attrs = map[string]string{"to": "here", "ver": "1.6"}
	p.Gate = &lock{"open"}
	p.Hold = 2
	m := newMachine(p, someTime)
	var fx effects
	to := func(Response) {}
	m.exchange(someTime, Request{Seq: 7, Frames: frames("a"), Note: "first"}, to, &fx)
	m.send(someTime, Frame{Stream: "s", Data: []byte("one")}, &fx)
	m.exchange(someTime, Request{Seq: 8, Frames: frames("b"), Note: "second"}, to, &fx)
	m.exchange(someTime, Request{Seq: 10, Frames: frames("early")}, to, &fx)
	m.attachTo(someTime, 3, 0, &fx)
	m.cancel(someTime, m.slots[0].id, &fx)
	m.send(someTime, Frame{Stream: "s", Data: []byte("two"), End: &Termination{Condition: BackendError, Text: "broken", Payload: frames("why")}}, &fx)
	return &m, []savedStream{
		{name: "s", target: "here", queue: frames("b"), taken: 1, state: streamSuspended, token: []byte("token")},
		{name: "t", state: streamUnopened},
	}
}

func TestSnapshot(t *testing.T) {
	m, streams := someSession()
	t.Run("of this version", func(t *testing.T) { testSnapshot(t, encodeSnapshot(nil, m, streams, someTime)) })
	t.Run("of version 1", func(t *testing.T) {
		snap, err := hex.DecodeString(snapshotOf1)
		if err != nil {
			t.Fatal(err)
		}
		testSnapshot(t, snap)
	})
}

// snapshotOf1 is what version 1 wrote of someSession. It has to be read for as long as
// servers may be replaced one after the other.
const snapshotOf1 = "" +
	"01066c6f636b65640673336372657480e0ba84bf0380b09dc2df0180c0f588fe0604080700d00fd00f0202746f0468657265" +
	"0376657203312e3601046f70656e0900020173036f6e650001730374776f010d6261636b656e642d6572726f720662726f6b" +
	"656e0000010377687901000380b09dc2df010107010207010566697273740000000001080001067365636f6e640000000201" +
	"7304686572650100016200010205746f6b656e01740000000100"

func testSnapshot(t *testing.T, snap []byte) {
	later := someTime.Add(time.Hour)
	got, gotStreams, err := decodeSnapshot(snap, anyLock, later)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("has all that is not a connection", func(t *testing.T) {
		p := got.params
		if p.Protocol != "locked" || p.Secret != "s3cret" || p.Wait != time.Minute || p.Attrs["ver"] != "1.6" || p.Gate.(*lock).word != "open" {
			t.Errorf("params %+v", p)
		}
		if got.in.next != 9 || got.attach != 3 || len(got.answers) != 1 || got.answers[0].note != "first" || len(got.slots) != 1 || got.slots[0].note != "second" {
			t.Errorf("machine %+v", got)
		}
		if e := got.out.frames[1].End; e == nil || e.Condition != BackendError || e.Text != "broken" || string(e.Payload[0].Data) != "why" {
			t.Errorf("the end of a stream: %v", e)
		}
		s := gotStreams[0]
		if s.name != "s" || s.target != "here" || string(s.token) != "token" || s.taken != 1 || texts(s.queue)[0] != "b" || gotStreams[1].state != streamUnopened {
			t.Errorf("streams %+v", gotStreams)
		}
	})
	t.Run("keeps no promise that was not made: a request above a gap comes again", func(t *testing.T) {
		if len(got.in.early) != 0 {
			t.Errorf("%+v", got.in.early)
		}
	})
	t.Run("counts the silence anew", func(t *testing.T) {
		if at, _ := got.deadline(); at != later.Add(30*time.Second) && at != later.Add(time.Minute) {
			t.Errorf("the next deadline is %v after", at.Sub(later))
		}
	})
}

func TestSnapshotsAreRefused(t *testing.T) {
	m, streams := someSession()
	good := encodeSnapshot(nil, m, streams, someTime)
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"nothing", "empty", nil},
		{"of a newer version", "version 2", append([]byte{2}, good[1:]...)},
		{"cut off", "damaged", good[:len(good)-1]},
		{"with something behind it", "damaged", append(good[:len(good):len(good)], 0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := decodeSnapshot(test.data, anyLock, someTime)
			if !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	t.Run("of a protocol that nobody serves", func(t *testing.T) {
		if _, _, err := decodeSnapshot(good, func(string) GateLoader { return nil }, someTime); !errors.Is(err, ErrSnapshot) {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzSnapshot reads whatever it is given, and uses what it took for a session.
func FuzzSnapshot(f *testing.F) {
	m, streams := someSession()
	f.Add(encodeSnapshot(nil, m, streams, someTime))
	idle := newMachine(testParams.clamp(&testParams), someTime)
	f.Add(encodeSnapshot(nil, &idle, nil, someTime))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, streams, err := decodeSnapshot(data, anyLock, someTime)
		if err != nil {
			return
		}
		var fx effects
		to := func(Response) {}
		m.settle(someTime, &fx)
		m.send(someTime, Frame{Data: []byte("more")}, &fx)
		m.push(someTime, 0, frames("x"), &fx)
		m.pull(someTime, Pull{After: m.out.base}, to, &fx)
		for _, a := range m.answers {
			m.exchange(someTime, Request{Seq: a.seq, Note: "again"}, to, &fx)
		}
		m.exchange(someTime, Request{Seq: m.in.next, AckSeq: m.in.next - 1, Note: "next"}, to, &fx)
		m.advance(someTime.Add(time.Hour), &fx)
		for range 10 {
			if at, ok := m.deadline(); ok {
				m.advance(at, &fx)
			}
		}
		if m.end == nil {
			again := encodeSnapshot(nil, &m, streams, someTime)
			if _, _, err := decodeSnapshot(again, anyLock, someTime); err != nil {
				t.Fatalf("what was read and used cannot be read again: %v", err)
			}
		}
	})
}
