package transport

import (
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzCalls makes any call with any numbers, as careless carriers and hostile
// clients may, of both kinds in one session. Nothing sensible has to come of
// it, but what must be so after each step is so, and nothing panics.
func FuzzCalls(f *testing.F) {
	for seed := range 200 {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		chance := make([]byte, 600)
		for i := range chance {
			chance[i] = byte(r.Uint32())
		}
		f.Add(chance)
	}
	f.Fuzz(func(t *testing.T, chance []byte) {
		w := &world{t: t, chance: chance[:min(len(chance), 2000)], now: time.Unix(1_800_000_000, 0)}
		w.m = newMachine(Params{
			Wait: time.Duration(w.dice(3)) * time.Minute, Inactivity: time.Duration(w.dice(3)) * time.Minute,
			MaxPause: time.Duration(w.dice(3)) * time.Minute, Hold: w.dice(3), Requests: w.dice(4), FirstSeq: uint64(w.dice(2)),
			MaxInbox: w.dice(3) * 200, MaxOutbox: w.dice(3) * 200, OneStream: w.dice(2) == 1,
		}, w.now)
		for len(w.chance) > 0 {
			w.anything()
			w.pass(0)
			w.check()
		}
	})
}

func (w *world) anything() {
	m := &w.m
	near := func(n uint64) uint64 { return n + uint64(w.dice(7)) - 3 } // may wrap around
	some := func() (all []Frame) {
		for range w.dice(4) {
			f := Frame{Stream: string(rune('a' + w.dice(2))), Data: make([]byte, w.dice(100))}
			if w.oneIn(8) {
				f.End = &Termination{Condition: Normal}
			}
			all = append(all, f)
		}
		return all
	}
	lending := w.conn(func(r Response) { w.loans = append(w.loans, lend(r.Frames)) })
	var fx effects
	switch w.dice(10) {
	case 0, 1:
		m.exchange(w.now, Request{
			Seq: near(m.in.next), AckSeq: near(m.in.next), Frames: some(), End: w.oneIn(50),
			Wait: time.Duration(w.dice(5)-1) * time.Second, Pause: time.Duration(max(0, w.dice(8)-5)) * time.Second,
		}, lending, &fx)
	case 2:
		m.push(w.now, near(m.in.next), some(), &fx)
	case 3, 4:
		again := w.oneIn(3)
		if again {
			w.loans = nil // the newest connection speaks; others may be overwritten where it does so wrongly
		}
		m.pull(w.now, Pull{
			Attach: uint64(w.dice(6)), After: near(m.out.base), Again: again, Wait: time.Duration(w.dice(5)-1) * time.Second,
		}, lending, &fx)
	case 5:
		m.ack(w.now, near(m.out.base))
	case 6:
		m.attachTo(w.now, near(m.attach), near(m.out.base), &fx)
	case 7:
		m.cancel(w.now, near(m.lastSlot), &fx)
	case 8:
		for _, f := range some() {
			m.send(w.now, f, &fx)
		}
	case 9:
		if w.oneIn(10) {
			m.terminate(w.now, &Termination{Condition: []Condition{Normal, Overflow}[w.dice(2)]}, &fx)
		}
		w.do(&fx)
		fx = effects{}
		w.pass(time.Duration(w.dice(20)) * time.Second)
		w.take(w.dice(300))
	}
	w.do(&fx)
}
