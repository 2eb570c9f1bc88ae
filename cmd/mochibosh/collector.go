package main

import (
	"context"
	"runtime/debug"
	runtime "runtime/metrics"
	"time"
)

// A collector decides how far garbage may grow. Go's own rule, in proportion to
// what is in use, has a server with few sessions collect all the time, for there
// is little in use; and one that falls silent keep what it once needed.
//
//	much is allocated    garbage may grow to heapRoom, or what Go's rule allows
//	little, for a while  it may grow as much as it does in a minute, at most as
//	                     Go's rule allows; what is free goes back to the system
type collector struct {
	percent int    // as it was set last
	quiet   int    // for how many steps little was allocated
	little  uint64 // how much that was, in the last quietSteps
}

const (
	// heapRoom is how much garbage a busy server may have. More saves little, and
	// stays behind as holes between what is in use.
	heapRoom = 16 << 20
	// busyRate is how much a busy server allocates between two steps.
	busyRate = 2 << 20
	// quietSteps is how long it is quiet before it gives back memory.
	quietSteps = 5
	// A quiet server collects about so often, in steps.
	quietRound = 60
	// minPercent bounds how often a large heap is collected.
	minPercent = 25
	// maxPercent bounds how seldom a small heap is collected.
	maxPercent = 1600
	// goPercent is Go's own rule.
	goPercent = 100

	collectorStep = time.Second
)

// step is told how much was allocated since the last step, and how much was in use
// after the last collection. It returns the percentage to set, and whether to give
// back memory now.
func (c *collector) step(allocated, inUse uint64) (percent int, giveBack bool) {
	if allocated >= busyRate {
		c.quiet, c.little = 0, 0
		c.percent = int(min(maxPercent, max(goPercent, goPercent*heapRoom/max(inUse, 1))))
		return c.percent, false
	}
	c.quiet++
	c.little += allocated
	if c.quiet%quietSteps == 0 {
		giveBack = c.quiet == quietSteps && c.percent > goPercent
		grows := c.little / quietSteps * quietRound
		c.little = 0
		for c.percent = goPercent; c.percent > minPercent && grows < inUse*uint64(c.percent)/200; {
			c.percent /= 2
		}
	}
	return c.percent, giveBack
}

// run goes on until the context is done.
func (c *collector) run(ctx context.Context) {
	samples := []runtime.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	runtime.Read(samples)
	before := samples[0].Value.Uint64()
	steps := time.NewTicker(collectorStep)
	defer steps.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-steps.C:
		}
		runtime.Read(samples)
		total, was := samples[0].Value.Uint64(), c.percent
		percent, giveBack := c.step(total-before, samples[1].Value.Uint64())
		before = total
		if percent != was {
			debug.SetGCPercent(percent)
		}
		if giveBack {
			debug.FreeOSMemory()
		}
	}
}
