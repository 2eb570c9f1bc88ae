package xmpp

import (
	"bytes"
	"maps"
	"regexp"
)

// prefixed finds a prefix that stands for jabber:client.
var prefixed = regexp.MustCompile(`xmlns:[^=\s]+\s*=\s*["']` + spaceClient + `["']`)

// unprefixed returns a stanza in which no element of jabber:client has a
// prefix: RFC 6120 §4.8.5 forbids them, and some servers do not understand
// them. Only then are tags written anew; all else stays as it is. raw was found
// well-formed.
func unprefixed(raw []byte) []byte {
	if !bytes.Contains(raw, []byte("xmlns:")) || !prefixed.Match(raw) {
		return raw
	}
	out := make([]byte, 0, len(raw)+64)
	open := []scope{{}}
	for len(raw) > 0 {
		in := open[len(open)-1]
		var piece int
		switch {
		case raw[0] != '<':
			if piece = bytes.IndexByte(raw, '<'); piece < 0 {
				piece = len(raw)
			}
			out = append(out, raw[:piece]...)
		case bytes.HasPrefix(raw, []byte("<![CDATA[")):
			piece = bytes.Index(raw, []byte("]]>")) + len("]]>")
			out = append(out, raw[:piece]...)
		case raw[1] == '/':
			piece = bytes.IndexByte(raw, '>') + 1
			out = append(append(append(out, "</"...), in.name...), '>')
			open = open[:len(open)-1]
		default:
			t := readTag(raw)
			piece = t.length
			out, in = in.enter(out, t)
			if !t.empty {
				open = append(open, in)
			}
		}
		raw = raw[piece:]
	}
	return out
}

// A scope is an element, and what is declared in it.
type scope struct {
	name     string            // as it is written now
	prefixes map[string]string // namespaces by prefix
	space    string            // the one without a prefix, as it was
	written  string            // as it is now
}

// enter writes the start tag of an element inside of the scope, and returns
// its own.
func (s scope) enter(out []byte, t tag) ([]byte, scope) {
	for _, a := range t.attrs {
		if prefix, ok := bytes.CutPrefix(a.name, []byte("xmlns:")); ok {
			s.prefixes = maps.Clone(s.prefixes)
			if s.prefixes == nil {
				s.prefixes = make(map[string]string)
			}
			s.prefixes[string(prefix)] = string(a.value)
		} else if string(a.name) == "xmlns" {
			s.space = string(a.value)
		}
	}
	s.name = string(t.name)
	space, plain := s.space, true
	if prefix, local, ok := bytes.Cut(t.name, []byte(":")); ok {
		space = s.prefixes[string(prefix)]
		if plain = space == spaceClient; plain {
			s.name = string(local)
		}
	}
	out = append(append(out, '<'), s.name...)
	for _, a := range t.attrs {
		if string(a.name) != "xmlns" {
			out = append(out, a.raw...)
		}
	}
	if plain && s.written != space {
		quote := "'"
		if bytes.Contains([]byte(space), []byte("'")) {
			quote = `"`
		}
		out = append(out, " xmlns="+quote+space+quote...)
		s.written = space
	}
	if t.empty {
		out = append(out, '/')
	}
	return append(out, '>'), s
}

// A tag is a start tag taken apart, without a look at what it means.
type tag struct {
	name   []byte
	attrs  []attr
	empty  bool
	length int
}

type attr struct {
	name, value []byte
	raw         []byte // with the white space before it
}

const space = " \t\r\n"

// readTag reads the start tag that p begins with.
func readTag(p []byte) tag {
	end := bytes.IndexAny(p, space+"/>")
	t := tag{name: p[1:end]}
	for at := end; ; {
		begin := at
		at += len(p[at:]) - len(bytes.TrimLeft(p[at:], space))
		switch p[at] {
		case '/':
			t.empty, t.length = true, at+2
			return t
		case '>':
			t.length = at + 1
			return t
		}
		a := attr{name: p[at : at+bytes.IndexAny(p[at:], space+"=")]}
		at += bytes.IndexAny(p[at:], `'"`) + 1
		length := bytes.IndexByte(p[at:], p[at-1])
		a.value = p[at : at+length]
		at += length + 1
		a.raw = p[begin:at]
		t.attrs = append(t.attrs, a)
	}
}
