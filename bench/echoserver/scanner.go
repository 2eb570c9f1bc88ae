package main

import "bytes"

// A scanner cuts a stream into the stream's header, its elements and its end.
type scanner struct {
	pos   int // up to where the piece at hand was looked at
	depth int
	open  bool // the header was there
	ended bool
}

// restart expects a header again.
func (s *scanner) restart() { *s = scanner{} }

// next returns what comes first in data, and how much of data it takes: an
// element, empty for white space and declarations. Zero: there is less than a
// whole one; it goes on with the same data and more.
func (s *scanner) next(data []byte) (element []byte, size int) {
	for s.pos < len(data) {
		if data[s.pos] != '<' {
			i := bytes.IndexByte(data[s.pos:], '<')
			if i < 0 {
				i = len(data) - s.pos
			}
			s.pos += i
			if s.depth == 0 {
				return s.done(data[:0], s.pos)
			}
			continue
		}
		end := tagEnd(data[s.pos:])
		if end == 0 {
			return nil, 0
		}
		tag := data[s.pos : s.pos+end]
		s.pos += end
		switch {
		case tag[1] == '?':
			return s.done(data[:0], s.pos)
		case !s.open:
			s.open = true
			return s.done(tag, s.pos)
		case tag[1] == '/' && s.depth == 0:
			s.ended = true
			return s.done(tag, s.pos)
		case tag[1] == '!':
		case tag[1] == '/':
			s.depth--
		case tag[len(tag)-2] != '/':
			s.depth++
		}
		if s.depth == 0 {
			return s.done(data[:s.pos], s.pos)
		}
	}
	return nil, 0
}

func (s *scanner) done(element []byte, size int) ([]byte, int) {
	s.pos = 0
	return element, size
}

// tagEnd returns the length of the tag, or CDATA section, that data begins
// with; zero if it is not all there.
func tagEnd(data []byte) int {
	if bytes.HasPrefix(data, []byte("<![CDATA[")) {
		end := bytes.Index(data, []byte("]]>"))
		if end < 0 {
			return 0
		}
		return end + len("]]>")
	}
	quote := byte(0)
	for i, b := range data {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '\'' || b == '"':
			quote = b
		case b == '>':
			return i + 1
		}
	}
	return 0
}

// name returns the name of the tag that the element begins with.
func name(element []byte) string {
	end := bytes.IndexAny(element, " \t\r\n>")
	return string(bytes.TrimSuffix(element[1:end], []byte("/")))
}

// attribute returns the value of an attribute of the element's first tag.
func attribute(element []byte, name string) string {
	tag := element[:tagEnd(element)]
	for _, quote := range []string{"'", `"`} {
		if _, after, ok := bytes.Cut(tag, []byte(" "+name+"="+quote)); ok {
			value, _, _ := bytes.Cut(after, []byte(quote))
			return string(value)
		}
	}
	return ""
}

// text returns the text between the element's first tag and the next.
func text(element []byte) string {
	after := element[tagEnd(element):]
	value, _, _ := bytes.Cut(after, []byte("<"))
	return string(value)
}
