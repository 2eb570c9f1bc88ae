package chaos

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Counts are what a proxy carried, and did to it.
type Counts struct {
	Exchanges uint64 // requests with their answers
	Pieces    uint64 // of streams, both ways
	Faults    [faults]uint64
}

// Damaged returns how many exchanges and pieces met a fault that damages.
func (c *Counts) Damaged() (n uint64) {
	for f, count := range c.Faults {
		if Fault(f).Damages() {
			n += count
		}
	}
	return n
}

// Hindered returns how many met one of the others.
func (c *Counts) Hindered() (n uint64) {
	for f, count := range c.Faults {
		if Fault(f) != None && !Fault(f).Damages() {
			n += count
		}
	}
	return n
}

// Share returns Damaged as a share of all that was carried.
func (c *Counts) Share() float64 {
	return float64(c.Damaged()) / max(1, float64(c.Exchanges+c.Pieces))
}

// String lists the faults that happened.
func (c *Counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d exchanges, %d pieces of streams", c.Exchanges, c.Pieces)
	for _, f := range All() {
		if n := c.Faults[f]; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, f)
		}
	}
	return b.String()
}

// counter is Counts for many goroutines.
type counter struct {
	exchanges, pieces atomic.Uint64
	faults            [faults]atomic.Uint64
}

func (c *counter) met(f Fault) { c.faults[f].Add(1) }

func (c *counter) counts() (counts Counts) {
	counts.Exchanges, counts.Pieces = c.exchanges.Load(), c.pieces.Load()
	for f := range c.faults {
		counts.Faults[f] = c.faults[f].Load()
	}
	counts.Faults[None] = 0
	return counts
}
