package xmlframe

import (
	"bytes"
	"strings"
)

const (
	byteOrderMark = "\uFEFF"
	openXMLDecl   = "<?xml"
	// maxXMLDecl bounds the XML declaration, as it is read again from its
	// start for as long as it is incomplete. The longest sensible one has
	// less than 60 bytes.
	maxXMLDecl = 256
)

// skipBOM passes a byte order mark at pos. RFC 6120 §11.6 has none, but an
// HTTP client's encoder may have put one before its body.
func (s *scanner) skipBOM() error {
	rest := s.data[s.pos:]
	if bytes.HasPrefix(rest, []byte(byteOrderMark)) {
		s.pos += len(byteOrderMark)
		return nil
	}
	if len(rest) < len(byteOrderMark) && string(rest) == byteOrderMark[:len(rest)] {
		return errMore
	}
	return nil
}

// xmlDecl reads the XML declaration, if there is one at pos (XML 1.0 §2.8).
func (s *scanner) xmlDecl() error {
	rest := s.data[s.pos:]
	if len(rest) <= len(openXMLDecl) && string(rest) == openXMLDecl[:len(rest)] {
		return errMore
	}
	if !bytes.HasPrefix(rest, []byte(openXMLDecl)) || class[rest[len(openXMLDecl)]]&isSpace == 0 {
		return nil
	}
	n := bytes.Index(rest[:min(len(rest), maxXMLDecl)], []byte("?>"))
	if n < 0 {
		if len(rest) >= maxXMLDecl {
			return s.fail(Malformed, s.pos, "XML declaration too long")
		}
		return errMore
	}
	end := s.pos + n + 2
	rest = rest[len(openXMLDecl):n]
	version, rest, ok := pseudo(rest, "version")
	if !ok || version != "1.0" {
		return s.fail(Malformed, s.pos, "XML declaration without version 1.0")
	}
	if encoding, more, ok := pseudo(rest, "encoding"); ok {
		if !strings.EqualFold(encoding, "utf-8") {
			return s.fail(BadEncoding, s.pos, "XML declaration with an encoding other than UTF-8")
		}
		rest = more
	}
	if standalone, more, ok := pseudo(rest, "standalone"); ok && (standalone == "yes" || standalone == "no") {
		rest = more
	}
	if len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return s.fail(Malformed, s.pos, "bad XML declaration")
	}
	s.pos = end
	return nil
}

// pseudo takes name='value' off the front of what an XML declaration holds.
func pseudo(in []byte, name string) (value string, rest []byte, ok bool) {
	const space = " \t\r\n"
	t := bytes.TrimLeft(in, space)
	if len(t) == len(in) || !bytes.HasPrefix(t, []byte(name)) {
		return "", in, false
	}
	t = bytes.TrimLeft(t[len(name):], space)
	if len(t) == 0 || t[0] != '=' {
		return "", in, false
	}
	t = bytes.TrimLeft(t[1:], space)
	if len(t) == 0 || t[0] != '"' && t[0] != '\'' {
		return "", in, false
	}
	n := bytes.IndexByte(t[1:], t[0])
	if n < 0 {
		return "", in, false
	}
	return string(t[1 : 1+n]), t[n+2:], true
}

// stray refuses the text at i, as text where none may be if it is legal at
// all: what is really UTF-16, say, deserves the more telling error.
func (s *scanner) stray(kind Kind, i int, text string) error {
	if _, k, t := char(s.data, i); k != 0 {
		return s.refuse(k, i, t)
	}
	return s.fail(kind, i, text)
}

// misc judges what stands at pos outside the outermost element, where a start
// tag may still come or not. It returns nil at a start tag only.
func (s *scanner) misc(start bool) error {
	d, i := s.data, s.pos
	if i == len(d) || d[i] == '<' && i+1 == len(d) {
		return errMore
	}
	if d[i] != '<' {
		if start {
			return s.stray(Malformed, i, "text before the outermost element")
		}
		return s.stray(Malformed, i, "text after the outermost element")
	}
	switch d[i+1] {
	case '?':
		return s.fail(Restricted, i, "processing instruction")
	case '!':
		return s.declaration()
	}
	if !start {
		return s.fail(Malformed, i, "tag after the outermost element")
	}
	return nil
}
