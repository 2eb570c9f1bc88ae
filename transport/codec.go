package transport

import (
	"encoding/binary"
	"time"
)

// An encoder appends values one after the other; a decoder must ask for the
// same ones.
type encoder struct{ b []byte }

func (e *encoder) uint(n uint64)            { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) int(n int)                { e.b = binary.AppendVarint(e.b, int64(n)) }
func (e *encoder) duration(d time.Duration) { e.b = binary.AppendVarint(e.b, int64(d)) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) bytes(p []byte) {
	e.uint(uint64(len(p)))
	e.b = append(e.b, p...)
}

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// A decoder reads what an encoder wrote. After an error all values are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	return advance(d, n, size)
}

func (d *decoder) int() int {
	n, size := binary.Varint(d.b)
	return int(advance(d, n, size))
}

func (d *decoder) duration() time.Duration {
	n, size := binary.Varint(d.b)
	return time.Duration(advance(d, n, size))
}

func advance[T int64 | uint64](d *decoder, n T, size int) T {
	if size <= 0 || d.bad {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bool() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

// bytes returns a part of what is decoded.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) string() string { return string(d.bytes()) }

// count returns how many values follow, each of a byte at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) fail() { d.b, d.bad = nil, true }
