package transport

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A world is a machine, a client of either kind, and a network between them
// that loses, repeats, delays and reorders. All that happens by chance is read
// from the fuzzer's input.
type world struct {
	t       *testing.T
	chance  []byte
	m       machine
	now     time.Time
	up      []func()        // requests under way
	down    []func()        // responses under way
	tasks   []func()        // what carriers have still to do
	cuts    []func()        // connections that may break
	queue   []Frame         // accepted, not taken by backends
	taken   int             // bytes of queue that they took of the first frame
	sent    []string        // by the backend
	pushed  []string        // by the client
	arrived []string        // at the client
	got     []string        // by the backends
	loans   []loan          // what carriers may read
	waiting map[uint64]bool // frames that a backend waits for the receipt of
	over    *Termination    // as the client was told
}

// A client is one end of the world.
type client interface {
	act()              // does something by chance
	heal() (idle bool) // does what is needed to go on; idle: nothing more to do
}

// dice returns a number below n, and zero when the input is used up.
func (w *world) dice(n int) int {
	if len(w.chance) == 0 {
		return 0
	}
	c := int(w.chance[0])
	w.chance = w.chance[1:]
	return c % n
}

func (w *world) oneIn(n int) bool { return w.dice(n) == n-1 }

// pick takes a random message out of a list; by chance it stays for later.
func (w *world) pick(list *[]func(), repeats bool) func() {
	if len(*list) == 0 {
		return func() {}
	}
	i := w.dice(len(*list))
	f := (*list)[i]
	if !repeats || !w.oneIn(8) {
		*list = slices.Delete(*list, i, i+1)
	}
	return f
}

// do carries out what the machine decided.
func (w *world) do(fx *effects) {
	for _, f := range fx.accepted {
		w.got = append(w.got, string(f.Data))
		w.queue = append(w.queue, f)
	}
	if len(fx.accepted) > 0 {
		w.m.settle(w.now, fx) // as the session does
	}
	for _, r := range fx.replies() {
		r.to(r.response)
	}
	w.receipts()
	w.check()
}

// conn makes the reply function of one connection.
func (w *world) conn(f func(Response)) func(Response) {
	answered := false
	return func(r Response) {
		if answered {
			w.t.Fatal("a connection was answered twice")
		}
		answered = true
		f(r)
	}
}

// check looks at what must be so after each step.
func (w *world) check() {
	w.t.Helper()
	m := &w.m
	pending := -w.taken + sizeOf(w.queue)
	parked := 0
	for _, r := range m.in.early {
		parked += sizeOf(r.Frames)
	}
	switch {
	case m.in.pending != pending || m.in.parked != parked || m.out.bytes != sizeOf(m.out.frames):
		w.t.Fatalf("counted %d pending, %d parked, %d kept bytes; there are %d, %d, %d",
			m.in.pending, m.in.parked, m.out.bytes, pending, parked, sizeOf(m.out.frames))
	case !slices.IsSortedFunc(m.slots, func(a, b slot) int { return int(a.seq) - int(b.seq) }):
		w.t.Fatal("open requests are out of order")
	case m.end != nil && (len(m.slots) > 0 || m.cursor.id != 0):
		w.t.Fatal("something is open after the end")
	case m.end == nil && !m.in.full() && m.arrivedSlots() > m.params.Hold:
		w.t.Fatalf("%d requests are held", m.arrivedSlots())
	case m.end == nil && m.quiet.IsZero() != m.waiting():
		w.t.Fatalf("something waits: %v; yet the session is quiet since %v", m.waiting(), m.quiet)
	}
	for _, l := range w.loans {
		if !l.intact() {
			w.t.Fatalf("a carrier reads %q, was lent %q", texts(l.lent), texts(l.want))
		}
	}
	if _, ok := m.deadline(); m.end == nil && !ok && !m.in.full() {
		w.t.Fatal("nothing ever happens: there is no deadline, and nobody is waited for")
	}
}

// pass lets time pass, and wakes the machine on time.
func (w *world) pass(d time.Duration) {
	until := w.now.Add(d)
	for rounds := 0; ; rounds++ {
		at, ok := w.m.deadline()
		if !ok || at.After(until) {
			break
		}
		if rounds > 10 && !at.After(w.now) {
			w.t.Fatalf("the deadline stays at %v", at)
		}
		if at.After(w.now) {
			w.now = at
		}
		var fx effects
		w.m.advance(w.now, &fx)
		w.do(&fx)
	}
	w.now = until
}

func (w *world) send() {
	data := fmt.Sprintf("frame %d %s", len(w.sent)+1, make([]byte, w.dice(20)*5))
	var fx effects
	if w.m.send(w.now, Frame{Stream: fmt.Sprint(w.dice(2)), Data: []byte(data)}, &fx) == nil {
		w.sent = append(w.sent, data)
		if w.oneIn(3) {
			w.promise(w.m.out.last())
		}
	}
	w.do(&fx)
}

// promise asks for the receipt of a frame.
func (w *world) promise(frame uint64) {
	w.waiting[frame] = true
	w.m.promise(receipt{frame: frame})
}

// receipts gives those that are due. The client has what they are of.
func (w *world) receipts() {
	if w.m.receipts == nil {
		return
	}
	for _, r := range w.m.settled() {
		switch {
		case !w.waiting[r.frame]:
			w.t.Fatalf("a second receipt of frame %d", r.frame)
		case r.err == nil && uint64(len(w.arrived)) < r.frame:
			w.t.Fatalf("a receipt of frame %d, when %d have arrived", r.frame, len(w.arrived))
		case r.err != nil && w.m.end == nil:
			w.t.Fatalf("no receipt of frame %d: %v", r.frame, r.err)
		}
		delete(w.waiting, r.frame)
	}
}

// message makes the client's next message.
func (w *world) message() Frame {
	data := fmt.Sprintf("message %d %s", len(w.pushed)+1, make([]byte, w.dice(20)*5))
	w.pushed = append(w.pushed, data)
	return Frame{Data: []byte(data)}
}

// take has the backends take some of what waits, in whole frames or not.
func (w *world) take(n int) {
	n = min(n, w.m.in.pending)
	var fx effects
	w.taken += n
	w.m.taken(w.now, n, &fx)
	for len(w.queue) > 0 && w.taken >= w.queue[0].size() {
		w.taken -= w.queue[0].size()
		w.queue = w.queue[1:]
	}
	w.do(&fx)
}

func (w *world) terminate(c Condition) {
	var fx effects
	w.m.terminate(w.now, &Termination{Condition: c}, &fx)
	w.do(&fx)
}

// dropped reports whether the session ended in a way that keeps no frames.
func (w *world) dropped() bool {
	return w.m.end != nil && (w.m.end.Condition == Inactive || w.m.end.Condition == Overflow)
}

// step does one thing.
func (w *world) step(c client) {
	switch w.dice(12) {
	case 0, 1, 2:
		c.act()
	case 3, 4, 5:
		w.pick(&w.up, true)()
	case 6, 7:
		w.pick(&w.down, true)()
	case 8:
		w.pick(&w.tasks, false)()
	case 9:
		w.send()
	case 10:
		w.take(w.dice(200))
	case 11:
		w.trouble()
	}
	w.pass(0) // timers that are due
	w.check()
}

func (w *world) trouble() {
	switch w.dice(9) {
	case 0, 1:
		w.pick(&w.up, false) // lost
	case 2, 3:
		w.pick(&w.down, false)
	case 4:
		w.pick(&w.cuts, false)()
	case 5:
		w.pass(time.Duration(w.dice(200)) * time.Second)
	case 6:
		w.pass(time.Duration(w.dice(70)) * time.Second)
	case 7:
		if w.oneIn(20) {
			w.terminate([]Condition{Policy, Shutdown, Overflow}[w.dice(3)])
		}
	case 8:
		w.restart()
	}
}

// restart has the machine go on from a snapshot, without its connections. What
// is under way arrives later.
func (w *world) restart() {
	if w.m.end != nil {
		return
	}
	if w.oneIn(2) { // in good order: those who wait are told
		var fx effects
		w.m.letGo(w.now, time.Second, &fx)
		w.do(&fx)
	}
	snap := encodeSnapshot(nil, &w.m, nil, w.now)
	m, _, err := decodeSnapshot(snap, nil, w.now)
	if err != nil {
		w.t.Fatalf("a snapshot cannot be read: %v", err)
	}
	if again := encodeSnapshot(nil, &m, nil, w.now); !bytes.Equal(again, snap) {
		w.t.Fatalf("restored, it is another: %x, was %x", again, snap)
	}
	m.in.pending = w.m.in.pending // it is in the streams, which are not here
	w.m, w.cuts, w.tasks = m, nil, nil
	for frame := range w.waiting {
		w.promise(frame)
	}
	var fx effects
	w.m.settle(w.now, &fx) // as the session does
	w.do(&fx)
}

// finish heals the network: now everything must come to its end.
func (w *world) finish(c client) {
	w.chance = nil
	for range 10_000 {
		for len(w.up)+len(w.tasks)+len(w.down) > 0 {
			w.pick(&w.up, false)()
			w.pick(&w.tasks, false)()
			w.pick(&w.down, false)()
		}
		w.take(w.m.in.pending)
		if c.heal() && len(w.up)+len(w.tasks)+len(w.down) == 0 {
			break
		}
	}
	wantSame := func(way string, got, want []string, all bool) {
		if all && len(got) != len(want) || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			w.t.Fatalf("%s: %d of %d came; end: %v\n%v %+v", way, len(got), len(want), w.m.end, w.m.params.OneStream, w.m.answers)
		}
	}
	end := w.m.end
	if end != nil && w.over == nil {
		w.t.Fatalf("the client does not know of the end: %v", end)
	}
	wantSame("to the backends", w.got, w.pushed, end == nil)
	wantSame("to the client", w.arrived, w.sent, end == nil || !end.ByClient && !w.dropped())
	w.receipts()
	for frame := range w.waiting {
		if end != nil || frame <= w.m.out.base {
			w.t.Fatalf("frame %d still waits for its receipt", frame)
		}
	}
	if w.take(w.m.in.pending); w.m.in.pending != 0 || end == nil && w.m.in.parked != 0 {
		w.t.Fatalf("%d bytes pending, %d parked are left", w.m.in.pending, w.m.in.parked)
	}
}

// FuzzMachine has clients talk to a machine over a bad network.
func FuzzMachine(f *testing.F) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		chance := make([]byte, 1500)
		for i := range chance {
			chance[i] = byte(r.Uint32())
		}
		f.Add(chance)
	}
	f.Fuzz(simulate)
}

func simulate(t *testing.T, chance []byte) {
	w := &world{t: t, chance: chance[:min(len(chance), 3000)], now: time.Unix(1_800_000_000, 0), waiting: map[uint64]bool{}}
	p := Params{
		Wait: time.Minute, Inactivity: 5 * time.Minute, MaxPause: 10 * time.Minute,
		Hold: w.dice(4), Requests: 1 + w.dice(5), FirstSeq: 1 + uint64(w.dice(2))*1000,
		MaxInbox: 100 + w.dice(10)*100, MaxOutbox: 100 + w.dice(10)*100, OneStream: w.dice(2) == 1,
	}
	p.Requests = max(p.Requests, p.Hold+1)
	var c client
	if w.dice(2) == 0 {
		c = newNumbered(w, p)
	} else {
		p.Requests += 5
		c = newPuller(w, p)
	}
	w.m = newMachine(p, w.now)
	for len(w.chance) > 0 {
		w.step(c)
	}
	w.finish(c)
}
