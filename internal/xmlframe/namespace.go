package xmlframe

import (
	"bytes"
	"hash/maphash"
)

// The two namespaces that are bound from the start (Namespaces in XML 1.0 §3).
const (
	spaceXML   = "http://www.w3.org/XML/1998/namespace"
	spaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// ref is a run of bytes in the scanner's data or, if aux, in its aux.
type ref struct {
	lo, hi int
	aux    bool
}

// binding is a declaration in scope. Names are compared by hash first: a
// sender who declares many long names that differ at the end would otherwise
// choose how much work a duplicate check is. The seed is secret and equal
// hashes are compared by their bytes, so that the hash decides nothing alone.
type binding struct {
	prefix, space ref // an empty prefix is the default namespace
	hash          uint64
}

var hashSeed = maphash.MakeSeed()

// usage says what a child takes from the outermost element around it.
type usage struct {
	elements  uint64 // bit i: declaration i names an element
	attrs     uint64 // bit i: declaration i names an attribute
	byDefault bool   // some element takes the default namespace
	ownLang   bool   // the child itself has xml:lang
}

func (u *usage) element(ns, outer int) {
	if 0 <= ns && ns < outer {
		u.elements |= 1 << ns
	}
}

func (u *usage) attr(ns, outer int) {
	if 0 <= ns && ns < outer {
		u.attrs |= 1 << ns
	}
}

func (s *scanner) bytes(r ref) []byte {
	if r.aux {
		return s.aux[r.lo:r.hi]
	}
	return s.data[r.lo:r.hi]
}

// declare takes the declarations among the attributes into scope
// (Namespaces in XML 1.0 §3).
func (s *scanner) declare(f *frame) error {
	for i := range s.attrs {
		a := &s.attrs[i]
		b := binding{prefix: ref{lo: a.hi, hi: a.hi}, space: ref{lo: a.vlo, hi: a.vhi}}
		switch {
		case a.colon < 0 && string(s.data[a.lo:a.hi]) == "xmlns":
			f.ownDefault = true
		case a.colon >= 0 && string(s.data[a.lo:a.colon]) == "xmlns":
			b.prefix = ref{lo: a.colon + 1, hi: a.hi}
		default:
			continue
		}
		a.ns = nsXMLNS
		if !a.plain {
			lo := len(s.aux)
			s.aux = appendValue(s.aux, s.data[a.vlo:a.vhi])
			b.space = ref{lo: lo, hi: len(s.aux), aux: true}
		}
		prefix, space := s.bytes(b.prefix), s.bytes(b.space)
		if text := forbidden(prefix, space, a.colon >= 0); text != "" {
			return s.fail(BadNamespace, a.lo, text)
		}
		if string(prefix) == "xml" {
			continue // says what is true anyway
		}
		if len(s.scope) >= s.lim.MaxNamespaces {
			return s.fail(TooManyNamespaces, a.lo, "too many declarations in scope")
		}
		b.hash = maphash.Bytes(hashSeed, space)
		s.scope = append(s.scope, b)
	}
	return nil
}

// forbidden returns what is wrong with a declaration, or "".
func forbidden(prefix, space []byte, prefixed bool) string {
	switch {
	case prefixed && string(prefix) == "xmlns":
		return "prefix xmlns declared"
	case prefixed && len(space) == 0:
		return "prefix bound to no namespace"
	case (string(prefix) == "xml") != (string(space) == spaceXML):
		return "prefix xml and its namespace belong together"
	case string(space) == spaceXMLNS:
		return "namespace of declarations declared"
	}
	return ""
}

// resolve finds what a prefix is bound to.
func (s *scanner) resolve(prefix []byte, at int) (ns int, err error) {
	for i := len(s.scope) - 1; i >= 0; i-- {
		if r := s.scope[i].prefix; r.hi-r.lo == len(prefix) && bytes.Equal(s.bytes(r), prefix) {
			return i, nil
		}
	}
	switch string(prefix) {
	case "":
		return nsNone, nil
	case "xml":
		return nsXML, nil
	case "xmlns":
		return nsXMLNS, nil
	}
	return 0, s.fail(UndeclaredPrefix, at, "prefix "+clip(prefix)+" is not declared")
}

// unique resolves the attributes and checks that no two of them have the
// same expanded name (Namespaces in XML 1.0 §6.3).
func (s *scanner) unique() error {
	for i := range s.attrs {
		a := &s.attrs[i]
		if a.colon < 0 {
			if a.ns != nsXMLNS {
				a.ns = nsNone
			}
		} else {
			ns, err := s.resolve(s.data[a.lo:a.colon], a.lo)
			if err != nil {
				return err
			}
			a.ns = ns
			s.used.attr(ns, s.outer)
		}
		for j := range s.attrs[:i] {
			if s.sameName(&s.attrs[j], a) {
				return s.fail(Malformed, a.lo, "attribute "+clip(s.data[a.lo:a.hi])+" twice")
			}
		}
	}
	return nil
}

func (s *scanner) sameName(a, b *attr) bool {
	if !bytes.Equal(s.local(a), s.local(b)) {
		return false
	}
	if a.ns < 0 || b.ns < 0 || a.ns == b.ns {
		// xmlns itself and xmlns:xmlns would be told apart here, but the
		// latter cannot be declared.
		return a.ns == b.ns
	}
	x, y := &s.scope[a.ns], &s.scope[b.ns]
	return x.hash == y.hash && bytes.Equal(s.bytes(x.space), s.bytes(y.space))
}

// enter takes the declarations of a stream header into the scope of a
// scanner that does not have the header in its data.
func (s *scanner) enter(e *Element) {
	for _, n := range e.Namespaces {
		lo := len(s.aux)
		s.aux = append(s.aux, n.Prefix...)
		mid := len(s.aux)
		s.aux = append(s.aux, n.Space...)
		s.scope = append(s.scope, binding{
			prefix: ref{lo: lo, hi: mid, aux: true},
			space:  ref{lo: mid, hi: len(s.aux), aux: true},
			hash:   maphash.Bytes(hashSeed, s.aux[mid:]),
		})
	}
	s.outer = len(s.scope)
}
