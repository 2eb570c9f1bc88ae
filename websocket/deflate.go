package websocket

import (
	"bytes"
	"compress/flate"
	"hash/maphash"
	"sync"
)

// deflater compresses messages, each by itself (RFC 7692 §7.1.1.1, no context
// takeover), so that the result is good for everybody. What a topic's message
// becomes is the same for all its subscribers: it is found again by what it says,
// and compressed once.
type deflater struct {
	from int // bytes from which a message is compressed
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]*deflated
	order [maxDeflated]uint64 // whose turn it is to be forgotten
	next  int
}

const (
	// maxDeflated is how many compressed messages are remembered: a message goes
	// to its subscribers within moments.
	maxDeflated = 32
	// largestDeflated bounds a message that is.
	largestDeflated = 64 << 10
)

// deflated is a message, and what it becomes.
type deflated struct {
	plain []byte
	once  sync.Once
	frame []byte // nil: it would be no shorter
}

func newDeflater(from int) *deflater {
	return &deflater{from: from, seed: maphash.MakeSeed(), known: make(map[uint64]*deflated)}
}

// frame returns a message as one compressed frame, which is not to be modified;
// nil: it is better sent as it is.
func (d *deflater) frame(message []byte) []byte {
	switch {
	case len(message) < d.from:
		return nil
	case len(message) > largestDeflated:
		return deflate(message)
	}
	m := d.find(message)
	m.once.Do(func() { m.frame = deflate(m.plain) })
	return m.frame
}

// find returns the message, which is remembered from now on.
func (d *deflater) find(message []byte) *deflated {
	hash := maphash.Bytes(d.seed, message)
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.known[hash]
	if m != nil && bytes.Equal(m.plain, message) {
		return m
	}
	if m == nil {
		delete(d.known, d.order[d.next])
		d.order[d.next] = hash
		d.next = (d.next + 1) % maxDeflated
	}
	m = &deflated{plain: bytes.Clone(message)}
	d.known[hash] = m
	return m
}

// writers are kept for the next message: a new one takes a megabyte.
var writers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level exists
	return w
}}

// deflate returns a message as a compressed frame; nil: it would be no shorter.
func deflate(message []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(message)/2 + 64)
	w := writers.Get().(*flate.Writer)
	w.Reset(&out)
	w.Write(message) // to memory: cannot fail
	w.Flush()
	writers.Put(w)
	// RFC 7692 §7.2.1: the end of the flush, 00 00 ff ff, is left out.
	coded := out.Bytes()[:out.Len()-4]
	if len(coded) >= len(message) {
		return nil
	}
	f := frame{buf: append(make([]byte, headRoom, headRoom+len(coded)), coded...)}
	f.head(finalText | compressed)
	return f.bytes()
}
