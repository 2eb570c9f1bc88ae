package xmlframe

import (
	"bytes"
	"sync"
)

// scanner reads markup token by token. It is the one place that judges XML;
// documents and streams differ only in who calls it and what they make of
// the end of the data.
//
// It can stop at any byte and go on when data has grown: pos is then the
// start of the token that is not complete yet, and look remembers how far
// that token has been searched for its end, so that no byte is read more
// than a fixed number of times. All positions are indexes, none a slice of
// data, because the bytes may have moved in between.
//
// A scanner belongs to one goroutine. newScanner and free keep them in a
// pool; a connection in between stanzas holds none.
type scanner struct {
	data  []byte
	pos   int
	base  int64 // offset of data[0] in the stream
	lim   Limits
	parts bool // data may grow: look for the end of a tag before reading it

	look  int  // parts: the tag at pos has been searched up to here
	quote byte // parts: the quote that is open at look, or zero
	cdata bool // pos is inside a CDATA section
	empty bool // the tag read last was an empty-element tag

	frames []frame   // the open elements
	scope  []binding // the declarations in scope, inner ones last
	attrs  []attr    // of the start tag read last
	aux    []byte    // bytes that are in scope but not in data

	outer int   // how many of scope belong to the outermost element
	used  usage // of the child being read
}

// frame is an open element.
type frame struct {
	lo, hi     int  // its qualified name in data
	scope, aux int  // lengths to go back to when it closes
	ownDefault bool // it or an element around it, up to the child, has xmlns=
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// newScanner returns a scanner at the start of data.
func newScanner(data []byte, lim Limits) *scanner {
	s := scanners.Get().(*scanner)
	s.data, s.lim = data, lim
	return s
}

// free gives the scanner back. Nothing it returned depends on it.
func (s *scanner) free() {
	*s = scanner{frames: s.frames[:0], scope: s.scope[:0], attrs: s.attrs[:0], aux: s.aux[:0]}
	if cap(s.frames) <= 256 && cap(s.scope) <= 256 && cap(s.attrs) <= 256 && cap(s.aux) <= 4096 {
		scanners.Put(s)
	}
}

func (s *scanner) fail(kind Kind, at int, text string) error {
	return &Error{Kind: kind, Offset: s.base + int64(at), Text: text}
}

// refuse turns a verdict of char or reference into an error.
func (s *scanner) refuse(kind Kind, at int, text string) error {
	if kind == Incomplete {
		return errMore
	}
	return s.fail(kind, at, text)
}

// incomplete makes an error of errMore, for callers that have all the data.
func (s *scanner) incomplete(err error) error {
	if err == errMore {
		return s.fail(Incomplete, len(s.data), "input ends too early")
	}
	return err
}

// run reads on until only floor elements are open, or returns errMore.
func (s *scanner) run(floor int) error {
	for len(s.frames) > floor {
		if err := s.text(); err != nil {
			return err
		}
		if err := s.markup(); err != nil {
			return err
		}
	}
	return nil
}

// text reads character data up to the next '<' (XML 1.0 §2.4).
func (s *scanner) text() error {
	if s.cdata {
		if err := s.section(); err != nil {
			return err
		}
	}
	d, i := s.data, s.pos
	for {
		for i < len(d) && class[d[i]]&plainText != 0 {
			i++
		}
		s.pos = i
		if i == len(d) {
			return errMore
		}
		switch d[i] {
		case '<':
			return nil
		case '&':
			_, end, kind, text := reference(d, i)
			if kind != 0 {
				return s.refuse(kind, i, text)
			}
			i = end
		case ']':
			rest := d[i:min(i+3, len(d))]
			if string(rest) == "]]>" {
				return s.fail(Malformed, i, "']]>' in text")
			}
			if len(rest) < 3 && string(rest) == "]]"[:len(rest)] {
				return errMore
			}
			i++
		default:
			n, kind, text := char(d, i)
			if kind != 0 {
				return s.refuse(kind, i, text)
			}
			i += n
		}
	}
}

// section reads the rest of a CDATA section (XML 1.0 §2.7).
func (s *scanner) section() error {
	d, i := s.data, s.pos
	for {
		// '&' and '<' have no meaning here; char lets them pass.
		for i < len(d) && class[d[i]]&plainText != 0 {
			i++
		}
		s.pos = i
		if i == len(d) {
			return errMore
		}
		if d[i] == ']' {
			rest := d[i:min(i+3, len(d))]
			if string(rest) == "]]>" {
				s.pos, s.cdata = i+3, false
				return nil
			}
			if len(rest) < 3 && string(rest) == "]]"[:len(rest)] {
				return errMore
			}
			i++
			continue
		}
		n, kind, text := char(d, i)
		if kind != 0 {
			return s.refuse(kind, i, text)
		}
		i += n
	}
}

const openCDATA = "<![CDATA["

// markup reads the token at pos, which is a '<' inside an element.
func (s *scanner) markup() error {
	d, i := s.data, s.pos
	if i+1 == len(d) {
		return errMore
	}
	switch d[i+1] {
	case '/':
		return s.endTag()
	case '!':
		if bytes.HasPrefix(d[i:], []byte(openCDATA)) {
			s.pos, s.cdata = i+len(openCDATA), true
			return nil
		}
		if rest := d[i:]; len(rest) < len(openCDATA) && string(rest) == openCDATA[:len(rest)] {
			return errMore
		}
		return s.declaration()
	case '?':
		return s.fail(Restricted, i, "processing instruction")
	}
	if err := s.startTag(); err != nil {
		return err
	}
	s.closeEmpty()
	return nil
}

// declaration refuses what begins with "<!" and is no CDATA section. It reads
// just enough to say what it is; no more of a document type is ever looked at.
func (s *scanner) declaration() error {
	rest := s.data[s.pos:]
	for _, f := range [...]struct{ start, text string }{
		{"<!--", "comment"},
		{"<!DOCTYPE", "document type declaration"},
	} {
		if bytes.HasPrefix(rest, []byte(f.start)) {
			return s.fail(Restricted, s.pos, f.text)
		}
		if len(rest) < len(f.start) && string(rest) == f.start[:len(rest)] {
			return errMore
		}
	}
	return s.fail(Malformed, s.pos, "'<!' starts nothing known")
}

// space skips white space from i.
func (s *scanner) space(i int) int {
	for i < len(s.data) && class[s.data[i]]&isSpace != 0 {
		i++
	}
	return i
}
