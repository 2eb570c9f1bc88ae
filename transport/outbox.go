package transport

import "slices"

// outbox numbers the frames for the client and keeps them until the client
// has acknowledged them; until then any of them can be served again, byte for
// byte. It knows no clock and no lock.
type outbox struct {
	base   uint64 // frames up to this number are acknowledged and released
	frames []Frame
	bytes  int
	max    int
	// lent says that a carrier may still read the array behind frames, so
	// that released places in it must not be written again.
	lent bool
}

// keepFrames is the largest array that an empty outbox keeps for the next
// frames: publishing to a client that keeps up then allocates nothing.
const keepFrames = 4

// last returns the number of the newest frame.
func (b *outbox) last() uint64 { return b.base + uint64(len(b.frames)) }

// add numbers a frame. It reports false when the byte budget is spent; a
// single frame fits an empty outbox whatever its size, and the end of a
// stream, which must not be lost, fits always.
func (b *outbox) add(f Frame) bool {
	if !b.fits(f.size()) && f.End == nil {
		return false
	}
	b.push(f)
	return true
}

// push numbers a frame whether it fits or not.
func (b *outbox) push(f Frame) {
	b.bytes += f.size()
	b.frames = append(b.frames, f)
}

// fits reports whether so many bytes, sent at once, are within the budget.
func (b *outbox) fits(n int) bool { return len(b.frames) == 0 || b.bytes+n <= b.max }

// full reports whether add would refuse even an empty frame.
func (b *outbox) full() bool { return !b.fits(frameOverhead) }

// ack releases all frames up to n. A lower number than before is an old one
// and changes nothing.
func (b *outbox) ack(n uint64) error {
	switch {
	case n > b.last():
		return ErrAhead
	case n <= b.base:
		return nil
	}
	k := int(n - b.base)
	for _, f := range b.frames[:k] {
		b.bytes -= f.size()
	}
	b.base = n
	switch rest := b.frames[k:]; {
	case k > 2*len(rest)+keepFrames && len(rest) > 0:
		b.frames, b.lent = slices.Clone(rest), false // lets go of the others
	case len(rest) > 0:
		b.frames = rest
	case b.lent || cap(b.frames) > keepFrames:
		b.frames, b.lent = nil, false
	default:
		clear(b.frames)
		b.frames = b.frames[:0]
	}
	return nil
}

// from returns the frames first … last, which must all be kept, for a carrier
// to read.
func (b *outbox) from(first, last uint64) []Frame {
	if first > last {
		return nil
	}
	b.lent = true
	i, j := first-b.base-1, last-b.base
	return b.frames[i:j:j]
}

// returned says that no carrier reads any more what from handed out.
func (b *outbox) returned() { b.lent = false }

// abandon leaves the array behind frames to whoever still reads it.
func (b *outbox) abandon() {
	if b.lent {
		b.frames, b.lent = slices.Clone(b.frames), false
	}
}

// drop releases everything, acknowledged or not; the session is over.
func (b *outbox) drop() { b.base, b.frames, b.bytes, b.lent = b.last(), nil, 0, false }
