package pipelined

import (
	"bytes"
	"math"
	"strings"
)

// A scanner finds where requests end in the bytes of a connection. It judges
// nothing: what net/http refuses ends the connection anyway. Where it is not
// sure it gives up, for good: a wrong boundary would be worse than none.
type scanner struct {
	state state
	sized bool          // Content-Length was there
	left  uint64        // bytes of the body to come
	line  [maxLine]byte // beginning of a header line that is not complete
	kept  int           // how many bytes of it there are
	cut   bool          // it is longer than what is kept
}

type state uint8

const (
	between state = iota // after a request, or before the first
	start                // in a request line
	header               // in the header
	body                 // in a body
	lost
)

// maxLine is what is kept of a line that comes in pieces: more than the lines
// that matter have.
const maxLine = 64

// scan goes on until the end of the request, and returns how many bytes of p
// that is.
func (s *scanner) scan(p []byte) (n int) {
	for n < len(p) {
		switch s.state {
		case between:
			// RFC 9112 §2.2: empty lines before a request line are ignored. Some
			// old clients send one after each body.
			if p[n] == '\r' || p[n] == '\n' {
				n++
				continue
			}
			s.state, s.sized, s.left = start, false, 0
		case start, header:
			i := bytes.IndexByte(p[n:], '\n')
			if i < 0 {
				s.keep(p[n:])
				return len(p)
			}
			s.take(p[n : n+i])
			n += i + 1
		case body:
			m := min(uint64(len(p)-n), s.left)
			n += int(m)
			s.left -= m
			if s.left == 0 {
				s.state = between
			}
		case lost:
			return len(p)
		}
		if s.state == between {
			return n
		}
	}
	return n
}

// keep remembers a piece of a line.
func (s *scanner) keep(piece []byte) {
	n := copy(s.line[s.kept:], piece)
	s.kept += n
	s.cut = s.cut || n < len(piece)
}

// take goes on after a line, whose last piece this is.
func (s *scanner) take(line []byte) {
	cut := false
	if s.kept > 0 {
		s.keep(line)
		line, cut = s.line[:s.kept], s.cut
		s.kept, s.cut = 0, false
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case s.state == start:
		s.state = header
		if bytes.HasPrefix(line, []byte("PRI ")) || bytes.HasPrefix(line, []byte("CONNECT ")) {
			s.state = lost // HTTP/2, or whatever is in the tunnel
		}
	case len(line) > 0:
		s.field(line, cut)
	case s.left > 0:
		s.state = body
	default:
		s.state = between
	}
}

// field looks at a header line.
func (s *scanner) field(line []byte, cut bool) {
	switch line[0] { // most have another first letter
	case 'C', 'c', 'T', 't', 'U', 'u':
	case ' ', '\t':
		s.state = lost // continues the line before
		return
	default:
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case foldEqual(name, "content-length"):
		n, ok := parseLength(value)
		if !ok || cut || s.sized {
			s.state = lost
		}
		s.left, s.sized = n, true
	case foldEqual(name, "transfer-encoding"), foldEqual(name, "upgrade"):
		s.state = lost // no length, or soon another protocol
	}
}

func foldEqual(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}

func parseLength(value []byte) (n uint64, ok bool) {
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < '0' || c > '9' || n > math.MaxInt64/10-1 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(value) > 0
}
