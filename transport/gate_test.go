package transport

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// admitted is a machine whose gate writes down what it is asked, and refuses
// requests with the note "bad".
type admitted struct {
	*machine
	now   time.Time
	asked []string
}

type gateFunc func(Turn) *Termination

func (f gateFunc) Admit(t Turn) *Termination { return f(t) }

// Apart keeps what begins with a bar to itself.
func (f gateFunc) Apart(before, frame []byte) bool { return before[0] == '|' || frame[0] == '|' }

func newAdmitted() *admitted {
	a := &admitted{}
	a.machine, a.now = machineFrom(Params{Hold: 1, Requests: 3, Wait: time.Minute, Inactivity: time.Minute, Gate: gateFunc(func(t Turn) *Termination {
		line := fmt.Sprintf("%d %v", t.Seq, t.Note)
		if t.Copies > 0 {
			line += fmt.Sprintf(", copy %d of %v", t.Copies, t.Original)
		} else {
			line += fmt.Sprintf(", waiting %d", t.Waiting)
		}
		if t.Idle {
			line += ", idle"
		}
		if t.Over {
			line += ", over"
		}
		a.asked = append(a.asked, line)
		if t.Note == "bad" {
			return &Termination{Condition: Policy}
		}
		return nil
	})})
	return a
}

// request returns the responses by their numbers.
func (a *admitted) request(seq uint64, note any, frames ...Frame) (got map[uint64]Response, fx effects, err error) {
	_, err = a.exchange(a.now, Request{Seq: seq, Note: note, Frames: frames}, func(Response) {}, &fx)
	got = make(map[uint64]Response)
	for _, r := range fx.replies() {
		got[r.response.Seq] = r.response
	}
	return got, fx, err
}

func (a *admitted) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(a.asked, want) {
		t.Errorf("asked %q, want %q", a.asked, want)
	}
	a.asked = nil
}

func TestAdmit(t *testing.T) {
	t.Run("requests are asked about in order, copies when they come", func(t *testing.T) {
		a := newAdmitted()
		a.request(2, "b")
		a.want(t)
		a.request(2, "b2")
		a.want(t, "2 b2, copy 1 of b")
		a.request(1, "a")
		a.want(t, "1 a, waiting 1", "2 b, waiting 1")
		a.request(1, "a2")
		a.request(1, "a3")
		a.want(t, "1 a2, copy 1 of a", "1 a3, copy 2 of a")
		a.request(3, "c")
		a.want(t, "3 c, waiting 1")
		var fx effects
		a.send(a.now, Frame{}, &fx)
		a.request(4, "d")
		a.want(t, "4 d, waiting 1")
		a.advance(a.now.Add(time.Minute), &fx)
		a.request(5, "e")
		a.want(t, "5 e, waiting 1, idle")
	})

	t.Run("one that is refused has no effect, and ends the session without frames", func(t *testing.T) {
		a := newAdmitted()
		a.request(1, "a")
		var fx effects
		a.send(a.now, Frame{Data: []byte("secret")}, &fx)
		a.send(a.now, Frame{Data: []byte("secret, too")}, &fx)
		_, fx, err := a.request(2, "bad", Frame{})
		var over *Termination
		if !errors.As(err, &over) || over.Condition != Policy || a.end != over || len(fx.accepted) > 0 {
			t.Errorf("got %v, end %v, %d frames accepted", err, a.end, len(fx.accepted))
		}
		for _, seq := range []uint64{1, 2, 3} { // repeats, and what asks for the rest
			if got, _, _ := a.request(seq, "x"); len(got[seq].Frames) > 0 {
				t.Errorf("request %d got %q", seq, got[seq].Frames)
			}
		}
	})

	t.Run("one that came early is refused in its turn, after those before it", func(t *testing.T) {
		a := newAdmitted()
		a.request(2, "bad", Frame{Data: []byte("2")})
		a.request(3, "c", Frame{Data: []byte("3")})
		got, fx, err := a.request(1, "a", Frame{Data: []byte("1")})
		if err != nil || len(fx.accepted) != 1 || len(got) != 3 {
			t.Errorf("got %v, %v, %d frames accepted", got, err, len(fx.accepted))
		}
		for seq, r := range got {
			if r.End == nil || r.End.Condition != Policy {
				t.Errorf("request %d: %v", seq, r.End)
			}
		}
	})

	t.Run("a copy that is refused gets nothing of what is kept, nor does one after the end", func(t *testing.T) {
		for _, over := range []bool{false, true} {
			a := newAdmitted()
			var fx effects
			a.send(a.now, Frame{Data: []byte("secret")}, &fx)
			a.request(1, "a")
			if over {
				a.terminate(a.now, &Termination{Condition: BackendError}, &fx)
			}
			for _, seq := range []uint64{1, 2} {
				if got, _, err := a.request(seq, "bad"); len(got) > 0 || err == nil {
					t.Errorf("over %v, request %d: %v, %v", over, seq, got, err)
				}
			}
			if want := map[bool]Condition{false: Policy, true: BackendError}[over]; a.end.Condition != want {
				t.Errorf("ended with %v, want %v", a.end, want)
			}
		}
	})
}

func TestApart(t *testing.T) {
	a := newAdmitted()
	for _, data := range []string{"a", "b", "|c", "|d", "e", "f"} {
		var fx effects
		if err := a.send(a.now, Frame{Data: []byte(data)}, &fx); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"ab", "|c", "|d", "ef"} {
		got, _, err := a.request(uint64(i+1), nil)
		var data []byte
		for _, f := range got[uint64(i+1)].Frames {
			data = append(data, f.Data...)
		}
		if err != nil || string(data) != want {
			t.Errorf("request %d got %q, %v; want %q", i+1, data, err, want)
		}
	}
}
