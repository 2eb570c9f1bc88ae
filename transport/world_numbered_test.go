package transport

import (
	"errors"
	"slices"
	"time"
)

// numbered is a client whose requests have numbers and are answered, as
// BOSH's are.
type numbered struct {
	*world
	params   Params
	explicit bool   // acknowledges itself; else the window implies it
	next     uint64 // number of the next request
	done     uint64 // all up to here is answered
	asked    map[uint64]Request
	answers  map[uint64]Response // as the client has them
	first    map[uint64]Response // as the server gave them
	last     uint64              // number of the last answer given
	frame    uint64              // last frame that arrived
}

func newNumbered(w *world, p Params) *numbered {
	return &numbered{
		world: w, params: p, explicit: w.dice(2) == 1, next: p.FirstSeq, done: p.FirstSeq - 1,
		asked: map[uint64]Request{}, answers: map[uint64]Response{}, first: map[uint64]Response{},
	}
}

// act makes a request, or repeats one.
func (c *numbered) act() {
	open := int(c.next - c.done - 1)
	switch {
	case c.over != nil:
	case open > 0 && c.dice(3) == 0:
		c.ask(c.done + 1 + uint64(c.dice(open)))
	case open < c.params.Requests:
		r := Request{}
		for range c.dice(3) {
			r.Frames = append(r.Frames, c.message())
		}
		if c.oneIn(10) {
			r.Wait = time.Duration(c.dice(60)-1) * time.Second
		}
		c.new(r)
	case open == c.params.Requests && c.oneIn(4): // one more is allowed
		c.new(Request{Pause: time.Minute, End: c.oneIn(10)})
	}
}

func (c *numbered) new(r Request) {
	r.Seq = c.next
	r.AckSeq = c.done
	if !c.explicit {
		r.AckSeq = r.Seq - min(r.Seq, uint64(c.params.Requests)+1)
	}
	c.asked[r.Seq] = r
	c.next++
	c.ask(r.Seq)
}

// ask sends a request on its way. A copy that the network makes has a
// connection of its own, where nobody listens.
func (c *numbered) ask(seq uint64) {
	r, copies := c.asked[seq], 0
	c.up = append(c.up, func() {
		copies++
		listening := copies == 1
		again := false
		var fx effects
		id, err := c.m.exchange(c.now, r, c.conn(func(answer Response) { c.answer(r.Seq, answer, listening, again) }), &fx)
		again = id == 0
		c.do(&fx)
		var end *Termination
		switch {
		case err == ErrGone && seq <= c.done: // too old
		case err == ErrFull: // as if it were lost: the client asks again
		case err == ErrGone && c.dropped():
			c.down = append(c.down, func() { c.over = c.m.end })
		case errors.As(err, &end):
			if listening {
				c.down = append(c.down, func() { c.receive(Response{Seq: seq, End: end}) })
			}
		case err != nil:
			c.t.Fatalf("request %d with %d answered: %v; end: %v", seq, c.done, err, c.m.end)
		}
		c.cuts = append(c.cuts, func() {
			var fx effects
			if c.oneIn(3) { // not cut, but in a hurry
				c.m.hurry(c.now, id, &fx)
				c.do(&fx)
				return
			}
			listening = false
			c.m.cancel(c.now, id, &fx)
			c.do(&fx)
		})
	})
}

// answer is called where the server answers, for the first time or again.
func (c *numbered) answer(seq uint64, r Response, listening, again bool) {
	if r.Later > 0 {
		return // it asks again
	}
	if r.Seq != seq {
		c.t.Fatalf("request %d got the answer to %d", seq, r.Seq)
	}
	if !r.Replaced {
		if first, ok := c.first[seq]; !ok {
			if seq <= c.last && c.m.end == nil && !again {
				c.t.Fatalf("%d was answered after %d", seq, c.last)
			}
			c.last = max(c.last, seq)
			first = r
			first.Frames = slices.Clone(r.Frames)
			c.first[seq] = first
		} else if !same(first, r) {
			c.t.Fatalf("%d was answered differently: %v, first %v", seq, r, first)
		}
		c.loans = append(c.loans, lend(r.Frames))
	}
	if listening && !r.Replaced {
		c.down = append(c.down, func() { c.receive(r) })
	}
}

func same(a, b Response) bool {
	return (a.First == b.First || len(a.Frames) == 0) && a.Ack == b.Ack && a.End == b.End && loan{a.Frames, b.Frames}.intact()
}

// receive is called where the answer arrives. Answers are processed in the
// order of the requests.
func (c *numbered) receive(r Response) {
	if _, ok := c.answers[r.Seq]; !ok {
		c.answers[r.Seq] = r
	}
	for {
		r, ok := c.answers[c.done+1]
		if !ok {
			return
		}
		c.done++
		if len(r.Frames) > 0 && r.First != c.frame+1 && !c.dropped() {
			c.t.Fatalf("answer %d begins with frame %d, after %d; end: %v", r.Seq, r.First, c.frame, c.m.end)
		}
		c.frame += uint64(len(r.Frames))
		c.arrived = append(c.arrived, texts(r.Frames)...)
		if r.End != nil {
			c.over = r.End
		}
	}
}

func (c *numbered) heal() (idle bool) {
	if c.over != nil {
		return true
	}
	open := int(c.next - c.done - 1)
	if c.m.end == nil && len(c.got) == len(c.pushed) && len(c.arrived) == len(c.sent) && open <= c.params.Hold {
		return true
	}
	for seq := c.done + 1; seq < c.next; seq++ {
		c.ask(seq)
	}
	if open < c.params.Requests {
		c.new(Request{})
	}
	return false
}
