package chaos

import (
	"math/rand/v2"
	"time"
)

// dice decide for one direction of one connection. They are for one goroutine.
type dice struct {
	*rand.Rand
	opts *Options
}

func newDice(opts *Options, connection, direction uint64) *dice {
	return &dice{rand.New(rand.NewPCG(opts.Seed, connection<<1|direction)), opts}
}

// roll chooses the fault.
func (d *dice) roll(rates Rates) Fault {
	x := d.Float64()
	for f := None + 1; f < faults; f++ { // in this order, whatever that of the map
		if x -= rates[f]; x < 0 {
			return f
		}
	}
	return None
}

// delay is how long something waits.
func (d *dice) delay() time.Duration { return time.Duration(d.Int64N(int64(d.opts.MaxDelay))) + 1 }

// later is when a request is replayed.
func (d *dice) later() time.Duration {
	half := d.opts.ReplayAfter / 2
	return half + time.Duration(d.Int64N(int64(half)+1))
}

// place is somewhere within n bytes: after at least one of them, and before the
// last, if there are two.
func (d *dice) place(n int) int { return min(n, 1+d.IntN(max(1, n-1))) }

// packets tears data into small packets: a dozen at most, or a large body would
// take for ever.
func (d *dice) packets(data []byte) (packets [][]byte) {
	for len(packets) < 11 && len(data) > 1 {
		n := d.place(min(len(data), 1+len(data)/4))
		packets, data = append(packets, data[:n]), data[n:]
	}
	return append(packets, data)
}
