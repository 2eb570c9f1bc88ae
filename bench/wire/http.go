// Package wire reads and writes HTTP and WebSockets as the clients of
// benchmarks need them: from bytes to bytes, with as little work as possible.
package wire

import (
	"bytes"
	"fmt"
	"strconv"
)

// A Head is the first part of an answer, up to the empty line.
type Head struct {
	Status int
	fields []byte
}

// ParseHead returns the head that data begins with, and its length: zero if it
// is not whole.
func ParseHead(data []byte) (h Head, length int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return h, 0, nil
	}
	line, _, _ := bytes.Cut(data, []byte("\r\n"))
	if h.Status, err = strconv.Atoi(string(line[min(9, len(line)):min(12, len(line))])); err != nil {
		return h, 0, fmt.Errorf("not an answer: %q", line)
	}
	h.fields = data[len(line) : end+2]
	return h, end + 4, nil
}

// Get returns the value of the field, whose name is in lower case.
func (h Head) Get(name string) string {
	for line := range bytes.SplitSeq(h.fields, []byte("\r\n")) {
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

// Chunked reports whether the body comes in chunks.
func (h Head) Chunked() bool { return h.Get("transfer-encoding") == "chunked" }

// An Answer is a head and a body.
type Answer struct {
	Head
	Body []byte
}

// ParseAnswer returns the answer that data begins with, and its length: zero
// if it is not whole.
func ParseAnswer(data []byte) (a Answer, length int, err error) {
	if a.Head, length, err = ParseHead(data); length == 0 {
		return a, 0, err
	}
	if a.Chunked() {
		var c Chunks
		n := c.Decode(data[length:], func(part []byte) { a.Body = append(a.Body, part...) })
		if !c.Ended {
			return a, 0, nil
		}
		return a, length + n, nil
	}
	size := uint64(0)
	if field := a.Get("content-length"); field != "" {
		if size, err = strconv.ParseUint(field, 10, 31); err != nil {
			return a, 0, err
		}
	}
	end := length + int(size)
	if len(data) < end {
		return a, 0, nil
	}
	a.Body = data[length:end]
	return a, end, nil
}

// Chunks takes the chunks of a body apart, in whatever pieces they come.
type Chunks struct {
	Ended bool
	last  bool   // the chunk that is being read is the empty one
	left  int    // of it, with the line break after it
	line  []byte // with the size of the next
}

// Decode gives what is in the chunks to emit, and returns how many bytes it
// took: all, unless the body ends before.
func (c *Chunks) Decode(data []byte, emit func([]byte)) (taken int) {
	for taken < len(data) && !c.Ended {
		if c.left > 0 {
			part := data[taken:min(len(data), taken+c.left)]
			if body := min(len(part), c.left-2); body > 0 {
				emit(part[:body])
			}
			taken += len(part)
			c.left -= len(part)
			c.Ended = c.last && c.left == 0
			continue
		}
		c.line = append(c.line, data[taken])
		taken++
		if !bytes.HasSuffix(c.line, []byte("\r\n")) {
			continue
		}
		size, err := strconv.ParseUint(string(c.line[:len(c.line)-2]), 16, 31)
		c.left, c.last, c.line = int(size)+2, size == 0 || err != nil, c.line[:0]
	}
	return taken
}
