package xmlframe

import (
	"bytes"
	"unicode/utf8"
)

// attr is an attribute of the start tag read last.
type attr struct {
	lo, hi   int // its qualified name in data
	colon    int // index of the colon in it, or -1
	vlo, vhi int // its value in data, without the quotes
	plain    bool
	ns       int // index in scope of its namespace, or one of the numbers below
}

// What resolve returns for names without an entry in scope.
const (
	nsNone  = -1 // in no namespace
	nsXML   = -2 // the prefix xml, which is always bound
	nsXMLNS = -3 // a declaration
)

func (s *scanner) local(a *attr) []byte {
	if a.colon < 0 {
		return s.data[a.lo:a.hi]
	}
	return s.data[a.colon+1 : a.hi]
}

// wholeTag reports whether the tag at pos has all its bytes. It stops at the
// first '>' outside quotes or at a '<', which no tag may contain, so that
// reading the tag afterwards always comes to a verdict.
func (s *scanner) wholeTag() bool {
	d, i, quote := s.data, max(s.look, s.pos+1), s.quote
	for ; i < len(d); i++ {
		switch c := d[i]; {
		case c == '<', c == '>' && quote == 0:
			s.look, s.quote = 0, 0
			return true
		case c != '"' && c != '\'':
		case quote == 0:
			quote = c
		case quote == c:
			quote = 0
		}
	}
	s.look, s.quote = i, quote
	return false
}

// startTag reads the start tag or empty-element tag at pos (XML 1.0 §3.1).
// It leaves the element open in either case, so that its name can be looked
// up in its own scope; closeEmpty comes next.
func (s *scanner) startTag() error {
	if s.parts && !s.wholeTag() {
		return errMore
	}
	if len(s.frames) >= s.lim.MaxDepth {
		return s.fail(TooDeep, s.pos, "elements nested too deep")
	}
	lo := s.pos + 1
	colon, hi, err := s.qname(lo)
	if err != nil {
		return err
	}
	end, empty, err := s.attributes(hi)
	if err != nil {
		return err
	}
	f := frame{lo: lo, hi: hi, scope: len(s.scope), aux: len(s.aux)}
	if n := len(s.frames); n > 0 {
		f.ownDefault = s.frames[n-1].ownDefault
	}
	if len(s.attrs) > 0 {
		if err := s.declare(&f); err != nil {
			return err
		}
	}
	if colon >= 0 {
		ns, err := s.resolve(s.data[lo:colon], lo)
		if err != nil {
			return err
		}
		if ns == nsXMLNS {
			return s.fail(BadNamespace, lo, "element with the prefix xmlns")
		}
		s.used.element(ns, s.outer)
	} else if !f.ownDefault {
		s.used.byDefault = true
	}
	if len(s.attrs) > 0 {
		if err := s.unique(); err != nil {
			return err
		}
	}
	s.pos, s.empty = end, empty
	s.frames = append(s.frames, f)
	return nil
}

// attributes reads attributes from i to the end of the tag.
func (s *scanner) attributes(i int) (end int, empty bool, err error) {
	s.attrs = s.attrs[:0]
	d := s.data
	for {
		gap := i
		i = s.space(i)
		if i == len(d) {
			return 0, false, errMore
		}
		switch d[i] {
		case '>':
			return i + 1, false, nil
		case '/':
			if i+1 == len(d) {
				return 0, false, errMore
			}
			if d[i+1] != '>' {
				return 0, false, s.fail(Malformed, i, "'/' inside a tag")
			}
			return i + 2, true, nil
		}
		if i == gap {
			return 0, false, s.fail(Malformed, i, "unexpected character in a tag")
		}
		if len(s.attrs) == s.lim.MaxAttributes {
			return 0, false, s.fail(TooManyAttributes, i, "element with too many attributes")
		}
		a := attr{lo: i}
		if a.colon, a.hi, err = s.qname(i); err != nil {
			return 0, false, err
		}
		if i = s.space(a.hi); i == len(d) {
			return 0, false, errMore
		}
		if d[i] != '=' {
			return 0, false, s.fail(Malformed, i, "attribute without a value")
		}
		if i = s.space(i + 1); i == len(d) {
			return 0, false, errMore
		}
		if d[i] != '"' && d[i] != '\'' {
			return 0, false, s.fail(Malformed, i, "attribute value without quotes")
		}
		a.vlo = i + 1
		if a.vhi, a.plain, err = s.value(i+1, d[i]); err != nil {
			return 0, false, err
		}
		i = a.vhi + 1
		s.attrs = append(s.attrs, a)
	}
}

// value reads an attribute value from i to the quote that ends it. It is
// plain if it stands for itself (XML 1.0 §2.3, AttValue).
func (s *scanner) value(i int, quote byte) (end int, plain bool, err error) {
	d := s.data
	plain = true
	for {
		for i < len(d) && class[d[i]]&plainValue != 0 {
			i++
		}
		if i == len(d) {
			return 0, false, errMore
		}
		switch c := d[i]; {
		case c == quote:
			return i, plain, nil
		case c == '"' || c == '\'':
			i++
		case c == '<':
			return 0, false, s.fail(Malformed, i, "'<' in an attribute value")
		case c == '&':
			_, end, kind, text := reference(d, i)
			if kind != 0 {
				return 0, false, s.refuse(kind, i, text)
			}
			i, plain = end, false
		default:
			n, kind, text := char(d, i)
			if kind != 0 {
				return 0, false, s.refuse(kind, i, text)
			}
			if c < ' ' {
				plain = false
			}
			i += n
		}
	}
}

// endTag reads the end tag at pos and closes the innermost element, if it is
// that element's.
func (s *scanner) endTag() error {
	if s.parts && !s.wholeTag() {
		return errMore
	}
	f := &s.frames[len(s.frames)-1]
	end, err := s.closing(s.data[f.lo:f.hi])
	if err != nil {
		return err
	}
	s.pos = end
	s.close()
	return nil
}

// close ends the innermost element and the scope of its declarations.
func (s *scanner) close() {
	f := &s.frames[len(s.frames)-1]
	s.scope, s.aux = s.scope[:f.scope], s.aux[:f.aux]
	s.frames = s.frames[:len(s.frames)-1]
}

// closeEmpty closes the innermost element if its tag was an empty-element tag.
func (s *scanner) closeEmpty() {
	if s.empty {
		s.empty = false
		s.close()
	}
}

// closing reads the end tag at pos, which has to have the qualified name
// want, and returns the index behind it (XML 1.0 §3.1, ETag).
func (s *scanner) closing(want []byte) (end int, err error) {
	lo := s.pos + 2
	_, hi, err := s.qname(lo)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(s.data[lo:hi], want) {
		return 0, s.fail(Malformed, s.pos, "end tag </"+clip(s.data[lo:hi])+"> where </"+clip(want)+"> is due")
	}
	i := s.space(hi)
	if i == len(s.data) {
		return 0, errMore
	}
	if s.data[i] != '>' {
		return 0, s.fail(Malformed, i, "unexpected character in an end tag")
	}
	return i + 1, nil
}

// qname reads a qualified name from i (Namespaces in XML 1.0 §4, QName).
func (s *scanner) qname(i int) (colon, end int, err error) {
	end, err = s.ncname(i)
	if err != nil || s.data[end] != ':' {
		return -1, end, err
	}
	colon = end
	if end, err = s.ncname(colon + 1); err == nil && s.data[end] == ':' {
		err = s.fail(Malformed, end, "second colon in a name")
	}
	return colon, end, err
}

// ncname reads a name without a colon from i (Namespaces in XML 1.0 §3). A
// name is never the last thing in a tag, so that at the end of the data it
// is not known to be complete.
func (s *scanner) ncname(i int) (end int, err error) {
	d, start := s.data, i
	for i < len(d) {
		c, want := d[i], uint8(isNamePart)
		if i == start {
			want = isNameStart
		}
		if c < utf8.RuneSelf {
			if class[c]&want != 0 {
				i++
				continue
			}
			if i == start {
				return 0, s.fail(Malformed, i, "name expected")
			}
			return i, nil
		}
		n, kind, text := char(d, i)
		if kind != 0 {
			return 0, s.refuse(kind, i, text)
		}
		if r, _ := utf8.DecodeRune(d[i:]); !nameStartRune(r) && (i == start || !namePartRune(r)) {
			return 0, s.fail(Malformed, i, "character not allowed in a name")
		}
		i += n
	}
	return 0, errMore
}
