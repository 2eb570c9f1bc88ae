package main

import (
	"context"
	"sync"
	"time"
)

// A change is a condition variable with time-outs: a lock, and a channel that
// is closed when what it guards has changed.
type change struct {
	sync.Mutex
	ch chan struct{}
}

func newChange() change { return change{ch: make(chan struct{})} }

// tell wakes all who wait; with the lock held.
func (c *change) tell() {
	close(c.ch)
	c.ch = make(chan struct{})
}

// wait gives the lock back until something changes, or for some time.
func (c *change) wait(ctx context.Context, d time.Duration) {
	ch := c.ch
	c.Unlock()
	defer c.Lock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch:
	case <-t.C:
	case <-ctx.Done():
	}
}
