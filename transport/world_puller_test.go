package transport

import (
	"errors"
	"time"
)

// pullClient is a client that pushes and pulls, as those of push.v1 do: by polls
// and by streams in turn.
type pullClient struct {
	*world
	window uint64
	attach uint64 // the newest connection; what comes on others is ignored
	have   uint64 // the last frame that arrived
	acked  uint64 // the last message that the server acknowledged
}

func newPuller(w *world, p Params) *pullClient {
	return &pullClient{world: w, window: uint64(p.Requests), acked: p.FirstSeq - 1}
}

// number returns the number of a message.
func (c *pullClient) number(i int) uint64 { return c.m.params.FirstSeq + uint64(i) }

func (c *pullClient) act() {
	switch n := c.dice(10); {
	case c.over != nil:
	case n < 4:
		c.push()
	case n < 7:
		c.poll()
	case n < 9:
		c.stream()
	default:
		c.acknowledge()
	}
}

// push sends messages: new ones within the window, or any that are not
// acknowledged yet.
func (c *pullClient) push() {
	for range c.dice(4) {
		if c.number(len(c.pushed)) <= c.acked+c.window {
			c.message()
		}
	}
	unacked := int(c.number(len(c.pushed)) - 1 - c.acked)
	if unacked > 0 {
		from := c.dice(unacked)
		c.offer(c.acked+1+uint64(from), 1+c.dice(unacked-from))
	}
}

func (c *pullClient) offer(first uint64, n int) {
	i := int(first - c.m.params.FirstSeq)
	all := frames(c.pushed[i : i+n]...)
	c.up = append(c.up, func() {
		var fx effects
		taken, err := c.m.push(c.now, first, all, &fx)
		c.do(&fx)
		switch {
		case err == nil && taken != len(all), err != nil && err != ErrFull && err != c.m.end && !isEnd(err):
			c.t.Fatalf("push from %d, accepted %d: took %d, %v", first, c.m.in.accepted(), taken, err)
		}
		ack := c.m.in.accepted()
		c.down = append(c.down, func() { c.acked = max(c.acked, ack) })
	})
}

func isEnd(err error) bool {
	var end *Termination
	return errors.As(err, &end)
}

func (c *pullClient) acknowledge() {
	have := c.have
	c.up = append(c.up, func() {
		if err := c.m.ack(c.now, have); err != nil {
			c.t.Fatalf("ack %d: %v", have, err)
		}
		c.check()
	})
}

// poll asks once. Copies of it that the network makes are asked alike.
func (c *pullClient) poll() {
	c.attach++
	ask := Pull{Attach: c.attach, After: c.have, Wait: time.Duration(c.dice(60)) * time.Second}
	copies := 0
	c.up = append(c.up, func() {
		copies++
		listening := copies == 1
		c.pull(ask, func(r Response) {
			c.loans = append(c.loans, lend(r.Frames))
			if listening && r.Later == 0 {
				c.down = append(c.down, func() { c.receive(ask.Attach, r) })
			}
		}, &listening)
	})
}

func (c *pullClient) pull(ask Pull, to func(Response), listening *bool) {
	var fx effects
	id, err := c.m.pull(c.now, ask, c.conn(to), &fx)
	c.do(&fx)
	if err != nil {
		c.t.Fatalf("pull %+v: %v", ask, err)
	}
	c.cuts = append(c.cuts, func() {
		*listening = false
		var fx effects
		c.m.cancel(c.now, id, &fx)
		c.do(&fx)
	})
}

// stream attaches, and pulls again whenever what it got is written.
func (c *pullClient) stream() {
	c.attach++
	n, after := c.attach, c.have
	c.up = append(c.up, func() {
		var fx effects
		err := c.m.attachTo(c.now, n, after, &fx)
		c.do(&fx)
		if err == nil {
			c.pump(n, Pull{Attach: n, After: after, Again: true}, new(true), new([]func()))
		}
	})
}

// pump is one turn of a stream. Its connection keeps the order of what is
// written, and loses nothing but the rest.
func (c *pullClient) pump(n uint64, ask Pull, listening *bool, written *[]func()) {
	c.pull(ask, func(r Response) {
		if r.Later > 0 {
			*listening = false // the stream breaks
			return
		}
		reading := lend(r.Frames)
		if *listening {
			copied := r
			copied.Frames = reading.want
			*written = append(*written, func() { c.receive(n, copied) })
			c.down = append(c.down, func() {
				if *listening && len(*written) > 0 {
					f := (*written)[0]
					*written = (*written)[1:]
					f()
				}
			})
		}
		if r.Replaced || r.End != nil || !*listening {
			return
		}
		c.tasks = append(c.tasks, func() {
			if !reading.intact() {
				c.t.Fatalf("a stream writes %q, was lent %q", texts(reading.lent), texts(reading.want))
			}
			c.pump(n, Pull{Attach: n, After: r.Last(), Wait: time.Minute, Again: true}, listening, written)
		})
	}, listening)
}

// receive is called where a response arrives.
func (c *pullClient) receive(attach uint64, r Response) {
	if attach != c.attach || r.Replaced {
		return
	}
	if r.First > c.have+1 && !(r.End != nil && c.dropped()) {
		c.t.Fatalf("have %d, got a response from %d", c.have, r.First)
	}
	for i, data := range texts(r.Frames) {
		if r.First+uint64(i) == c.have+1 {
			c.have++
			c.arrived = append(c.arrived, data)
		}
	}
	if r.End != nil {
		c.over = r.End
	}
}

func (c *pullClient) heal() (idle bool) {
	if c.over != nil || c.m.end == nil && len(c.got) == len(c.pushed) && len(c.arrived) == len(c.sent) {
		return true
	}
	if unacked := int(c.number(len(c.pushed)) - 1 - c.acked); unacked > 0 {
		c.offer(c.acked+1, unacked)
	}
	c.poll()
	return false
}
