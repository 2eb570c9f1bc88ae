package transport

import (
	"cmp"
	"slices"
)

// inbox puts the client's numbered requests in order. It decides what a
// number means (next, early, repeated, out of the window) and counts the bytes
// that backends have not taken yet. It knows no clock and no lock.
type inbox struct {
	next    uint64    // the number expected next
	window  uint64    // numbers next … next+window-1 are accepted
	max     int       // byte budget of early and of pending, each
	pending int       // bytes accepted in order, not yet taken by a backend
	early   []Request // accepted above a gap, ascending
	parked  int       // bytes of early
}

// place is where a request number lies.
type place int

const (
	inOrder place = iota // the one expected
	tooSoon              // within the window, but one before it is missing
	repeat               // seen before
	beyond               // above the window
)

func (b *inbox) place(seq uint64) place {
	switch {
	case seq < b.next:
		return repeat
	case seq == b.next:
		return inOrder
	case seq-b.next < b.window:
		return tooSoon
	}
	return beyond
}

// accepted returns the highest number accepted without a gap.
func (b *inbox) accepted() uint64 { return b.next - 1 }

// full reports whether backends are behind by the whole budget.
func (b *inbox) full() bool { return b.pending >= b.max }

// park keeps an early request until the gap below it is filled. It reports
// false, and keeps nothing, when the budget for early requests is spent: the
// client was promised nothing and repeats it. A repeated early request
// changes nothing: the first content counts (XEP-0124 §14.3).
func (b *inbox) park(r Request) bool {
	i, found := slices.BinarySearchFunc(b.early, r.Seq, func(e Request, seq uint64) int {
		return cmp.Compare(e.Seq, seq)
	})
	if found {
		return true
	}
	n := sizeOf(r.Frames)
	if b.parked > 0 && b.parked+n > b.max {
		return false
	}
	b.parked += n
	b.early = slices.Insert(b.early, i, r)
	return true
}

// take moves on past the request in order and counts its bytes as pending.
func (b *inbox) take(frames []Frame) {
	b.next++
	b.pending += sizeOf(frames)
}

// unpark returns the early request that is now in order, if there is one.
func (b *inbox) unpark() (Request, bool) {
	if len(b.early) == 0 || b.early[0].Seq != b.next {
		return Request{}, false
	}
	r := b.early[0]
	b.parked -= sizeOf(r.Frames)
	if b.early = slices.Delete(b.early, 0, 1); len(b.early) == 0 {
		b.early = nil
	}
	return r, true
}

// drop forgets everything that waits; the session is over.
func (b *inbox) drop() { b.early, b.parked = nil, 0 }

func sizeOf(frames []Frame) int {
	n := 0
	for _, f := range frames {
		n += f.size()
	}
	return n
}
