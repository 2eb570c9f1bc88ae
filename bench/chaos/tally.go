package main

import (
	"sync"
	"time"
)

// A tally is what the receiver of one client's line, up or down, got.
type tally struct {
	mu       sync.Mutex
	next     uint64 // the message that is to come
	missing  map[uint64]bool
	figures  figures
	last     time.Time
	complete chan struct{} // closed when all of them are there
	want     uint64
}

// figures are sums of tallies.
type figures struct {
	Sent       uint64
	Lost       uint64
	Doubled    uint64
	Misordered uint64
	Damaged    uint64        // not byte for byte what was sent
	Gap        time.Duration // the longest time between two
}

func newTally(want uint64) *tally {
	return &tally{next: 1, missing: make(map[uint64]bool), complete: make(chan struct{}), want: want}
}

// take counts a message.
func (t *tally) take(m []byte) {
	n, ok := number(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok {
		t.figures.Damaged++
		return
	}
	if t.next <= t.want && !t.last.IsZero() {
		t.figures.Gap = max(t.figures.Gap, time.Since(t.last))
	}
	t.last = time.Now()
	switch {
	case n == t.next:
		t.next++
	case n > t.next:
		for ; t.next < n; t.next++ {
			t.missing[t.next] = true
		}
		t.next++
	case t.missing[n]:
		t.figures.Misordered++
		delete(t.missing, n)
	default:
		t.figures.Doubled++
	}
	if t.next == t.want+1 && len(t.missing) == 0 {
		select {
		case <-t.complete:
		default:
			close(t.complete)
		}
	}
}

// got returns the highest message that came.
func (t *tally) got() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next - 1
}

// isComplete reports whether all of them are there.
func (t *tally) isComplete() bool {
	select {
	case <-t.complete:
		return true
	default:
		return false
	}
}

// result returns the figures of a line on which so many were sent.
func (t *tally) result(sent uint64) figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.figures
	f.Sent = sent
	f.Lost = uint64(len(t.missing))
	if sent >= t.next {
		f.Lost += sent - t.next + 1
	}
	return f
}

func (f *figures) add(g figures) {
	f.Sent += g.Sent
	f.Lost += g.Lost
	f.Doubled += g.Doubled
	f.Misordered += g.Misordered
	f.Damaged += g.Damaged
	f.Gap = max(f.Gap, g.Gap)
}

// faultless reports whether every message came once, in order and whole.
func (f *figures) faultless() bool {
	return f.Lost == 0 && f.Doubled == 0 && f.Misordered == 0 && f.Damaged == 0
}
