package xmlframe

// Name is an expanded name (Namespaces in XML 1.0 §2.1) and the prefix it was
// written with. Compare Space and Local; a prefix means nothing by itself.
type Name struct {
	Space  string // the namespace, "" for none
	Local  string
	Prefix string // "" for none
}

// Is reports whether n is the name local in the namespace space.
func (n Name) Is(space, local string) bool { return n.Local == local && n.Space == space }

// Attr is an attribute. Value has its references replaced and is normalised
// as XML 1.0 §3.3.3 says: white space written literally has become spaces.
type Attr struct {
	Name  Name
	Value string
}

// Namespace is a declaration: xmlns:Prefix='Space', or xmlns='Space' if the
// prefix is empty.
type Namespace struct {
	Prefix string
	Space  string
}

// Element is an outermost element: of a document, of a message, or the
// header of a stream. All strings are its own.
type Element struct {
	Name       Name
	Attrs      []Attr      // in the order written, without declarations
	Namespaces []Namespace // the declarations, in the order written
	Tag        string      // the start tag as written
	// Raw is the element as written, a part of the caller's bytes and valid as
	// long as those. It is nil for a stream header, which has but a Tag.
	Raw []byte
}

// Attr returns the value of the attribute with the given expanded name.
// Attributes without a prefix are in no namespace, "".
func (e *Element) Attr(space, local string) (value string, ok bool) {
	for i := range e.Attrs {
		if e.Attrs[i].Name.Is(space, local) {
			return e.Attrs[i].Value, true
		}
	}
	return "", false
}

// Lang returns the value of xml:lang, which the children inherit.
func (e *Element) Lang() string {
	lang, _ := e.Attr(spaceXML, "lang")
	return lang
}

// lean returns what is to be known of an element for the sake of its children: a
// stream keeps that as long as it lasts.
func (e *Element) lean() *Element {
	l := &Element{Name: e.Name, Namespaces: e.Namespaces}
	for _, a := range e.Attrs {
		if a.Name.Is(spaceXML, "lang") {
			l.Attrs = []Attr{a}
		}
	}
	return l
}

// defaultSpace returns the namespace that children without a prefix inherit.
func (e *Element) defaultSpace() string {
	for i := range e.Namespaces {
		if e.Namespaces[i].Prefix == "" {
			return e.Namespaces[i].Space
		}
	}
	return ""
}

// AppendText appends the text of an element that holds nothing but text, as
// [Child.AppendText] does.
func (e *Element) AppendText(dst []byte) ([]byte, error) {
	return appendContent(dst, e.Raw, len(e.Tag))
}

// Child is an element directly inside an outermost element: what a wrapper
// wraps, or a stanza of a stream.
type Child struct {
	Name Name
	// Raw is the element as written, from '<' to '>'. It is a part of the
	// caller's or of the splitter's bytes; see where the child came from for
	// how long it is valid. It may depend on declarations of the element
	// around it, see Standalone.
	Raw []byte

	outer  *Element
	used   usage
	tag    int // length of the start tag
	nameTo int // where the name in the start tag ends
}

// AppendText appends the text of an element that holds nothing but text, with
// references replaced and line ends normalised (XML 1.0 §2.11). If there is
// an element in it, the error is NotText and dst is returned as it was.
func (c *Child) AppendText(dst []byte) ([]byte, error) {
	return appendContent(dst, c.Raw, c.tag)
}

// outermost reads the start tag at pos into e and leaves the element open.
func (s *scanner) outermost(e *Element) error {
	lo := s.pos
	if err := s.startTag(); err != nil {
		return err
	}
	if len(s.scope) > maxOuter {
		return s.fail(TooManyNamespaces, lo, "too many declarations on the outermost element")
	}
	e.Tag = string(s.data[lo:s.pos])
	// The strings of the element are parts of one copy of its tag.
	part := func(from, to int) string { return e.Tag[from-lo : to-lo] }
	written := func(r ref) string {
		if r.aux {
			return string(s.aux[r.lo:r.hi])
		}
		return part(r.lo, r.hi)
	}
	if n := len(s.scope); n > 0 {
		e.Namespaces = make([]Namespace, n)
		for i, b := range s.scope {
			e.Namespaces[i] = Namespace{Prefix: written(b.prefix), Space: written(b.space)}
		}
	}
	name := func(from, colon, to, ns int) Name {
		n := Name{Local: part(from, to)}
		if colon >= 0 {
			n.Prefix, n.Local = part(from, colon), part(colon+1, to)
		}
		switch {
		case ns >= 0:
			n.Space = e.Namespaces[ns].Space
		case ns == nsXML:
			n.Space = spaceXML
		}
		return n
	}
	if n := len(s.attrs) - len(s.scope); n > 0 {
		e.Attrs = make([]Attr, 0, n)
	}
	for i := range s.attrs {
		a := &s.attrs[i]
		if a.ns == nsXMLNS {
			continue
		}
		v := Attr{Name: name(a.lo, a.colon, a.hi, a.ns)}
		if a.plain {
			v.Value = part(a.vlo, a.vhi)
		} else {
			v.Value = string(appendValue(nil, s.data[a.vlo:a.vhi]))
		}
		e.Attrs = append(e.Attrs, v)
	}
	f := &s.frames[len(s.frames)-1]
	f.ownDefault = false // a child that takes this default inherits it
	colon, ns, err := s.elementSpace(f)
	if err != nil {
		return err
	}
	e.Name = name(f.lo, colon, f.hi, ns)
	s.outer = len(s.scope)
	return nil
}

// child reads the start tag at pos, begins c with what it says and leaves
// the element open. The name is shared with before, if it is the same.
func (s *scanner) child(c *Child, outer *Element, before Name) error {
	lo := s.pos
	s.used = usage{}
	if err := s.startTag(); err != nil {
		return err
	}
	for i := range s.attrs {
		if a := &s.attrs[i]; a.ns == nsXML && string(s.local(a)) == "lang" {
			s.used.ownLang = true
		}
	}
	f := &s.frames[len(s.frames)-1]
	colon, ns, err := s.elementSpace(f)
	if err != nil {
		return err
	}
	c.outer, c.tag, c.nameTo = outer, s.pos-lo, f.hi-lo
	local := f.lo
	if colon >= 0 {
		c.Name.Prefix = known(s.data[f.lo:colon], before.Prefix)
		local = colon + 1
	}
	c.Name.Local = known(s.data[local:f.hi], before.Local)
	switch {
	case ns == nsXML:
		c.Name.Space = spaceXML
	case ns >= s.outer:
		c.Name.Space = known(s.bytes(s.scope[ns].space), before.Space)
	case ns >= 0:
		c.Name.Space = outer.Namespaces[ns].Space
	}
	return nil
}

// elementSpace looks up the namespace of the innermost open element.
func (s *scanner) elementSpace(f *frame) (colon, ns int, err error) {
	prefix := s.data[f.lo:f.lo]
	colon = -1
	for i := f.lo; i < f.hi; i++ {
		if s.data[i] == ':' {
			colon, prefix = i, s.data[f.lo:i]
			break
		}
	}
	ns, err = s.resolve(prefix, f.lo)
	return colon, ns, err
}

// known returns b as a string, without a copy if it is what came before or
// one of the names that nearly all traffic consists of.
func known(b []byte, before string) string {
	if string(b) == before {
		return before
	}
	switch string(b) {
	case "message":
		return "message"
	case "presence":
		return "presence"
	case "iq":
		return "iq"
	case "jabber:client":
		return "jabber:client"
	}
	return string(b)
}

// qname returns the name as written.
func (e *Element) qname() []byte {
	if e.Name.Prefix == "" {
		return []byte(e.Name.Local)
	}
	return []byte(e.Name.Prefix + ":" + e.Name.Local)
}
