package xmlframe

// Document is a document whose root only wraps other elements.
type Document struct {
	Element          // the root
	Children []Child // in the order written
}

// Parse reads a document whose root has only elements inside, a BOSH body
// (XEP-0124 §6): text directly in the root is refused, white space is not. A
// byte order mark and an XML declaration may come before the root.
//
// The document keeps parts of data, which must not change as long as the
// document is in use. After an error nothing of data is known to be right.
func Parse(data []byte, limits *Limits) (*Document, error) {
	lim := limits.orDefault()
	s := newScanner(data, lim)
	defer s.free()
	if len(data) > lim.MaxBytes {
		return nil, s.fail(TooBig, lim.MaxBytes, "document too big")
	}
	d := new(Document)
	if err := s.document(d); err != nil {
		return nil, s.incomplete(err)
	}
	return d, nil
}

func (s *scanner) document(d *Document) error {
	if err := s.skipBOM(); err != nil {
		return err
	}
	if err := s.xmlDecl(); err != nil {
		return err
	}
	s.pos = s.space(s.pos)
	if err := s.misc(true); err != nil {
		return err
	}
	start := s.pos
	if err := s.outermost(&d.Element); err != nil {
		return err
	}
	s.closeEmpty()
	for len(s.frames) > 0 {
		if err := s.wrapped(d); err != nil {
			return err
		}
	}
	d.Raw = s.data[start:s.pos:s.pos]
	if s.pos = s.space(s.pos); s.pos < len(s.data) {
		return s.misc(false)
	}
	return nil
}

// wrapped reads the next child of the root, or the root's end tag.
func (s *scanner) wrapped(d *Document) error {
	end, err := s.between()
	if err != nil {
		return err
	}
	if end {
		return s.endTag()
	}
	if len(d.Children) == s.lim.MaxChildren {
		return s.fail(TooManyChildren, s.pos, "too many children in the wrapper")
	}
	var before Name
	if n := len(d.Children); n > 0 {
		before = d.Children[n-1].Name
	} else {
		d.Children = make([]Child, 0, 2)
	}
	d.Children = append(d.Children, Child{})
	c, start := &d.Children[len(d.Children)-1], s.pos
	if err := s.child(c, &d.Element, before); err != nil {
		return err
	}
	s.closeEmpty()
	if err := s.run(1); err != nil {
		return err
	}
	c.Raw, c.used = s.data[start:s.pos:s.pos], s.used
	return nil
}

// between reads up to the next tag where only elements may stand, and
// reports whether it is an end tag.
func (s *scanner) between() (end bool, err error) {
	s.pos = s.space(s.pos)
	d, i := s.data, s.pos
	if i == len(d) || d[i] == '<' && i+1 == len(d) {
		return false, errMore
	}
	if d[i] != '<' {
		return false, s.stray(StrayText, i, "text where only elements may stand")
	}
	switch d[i+1] {
	case '/':
		return true, nil
	case '?':
		return false, s.fail(Restricted, i, "processing instruction")
	case '!':
		if i+2 == len(d) {
			return false, errMore
		}
		if d[i+2] == '[' {
			return false, s.fail(StrayText, i, "CDATA section where only elements may stand")
		}
		return false, s.declaration()
	}
	return false, nil
}

// ParseElement reads a message that is one element and nothing else, as a
// WebSocket message has to be (RFC 7395 §3.3.3): it begins with '<' and ends
// with the element's '>'. If allowDecl, an XML declaration may come first.
//
// The element keeps a part of data, as a [Document] does.
func ParseElement(data []byte, allowDecl bool, limits *Limits) (*Element, error) {
	lim := limits.orDefault()
	s := newScanner(data, lim)
	defer s.free()
	if len(data) > lim.MaxBytes {
		return nil, s.fail(TooBig, lim.MaxBytes, "message too big")
	}
	e := new(Element)
	if err := s.message(e, allowDecl); err != nil {
		return nil, s.incomplete(err)
	}
	return e, nil
}

func (s *scanner) message(e *Element, allowDecl bool) error {
	if len(s.data) > 0 && s.data[0] != '<' {
		return s.fail(Malformed, 0, "message does not begin with '<'")
	}
	if allowDecl {
		if err := s.xmlDecl(); err != nil {
			return err
		}
		if s.pos > 0 {
			s.pos = s.space(s.pos)
		}
	}
	if err := s.misc(true); err != nil {
		return err
	}
	start := s.pos
	if err := s.outermost(e); err != nil {
		return err
	}
	s.closeEmpty()
	if err := s.run(0); err != nil {
		return err
	}
	e.Raw = s.data[start:s.pos:s.pos]
	if s.pos < len(s.data) {
		return s.fail(Malformed, s.pos, "something after the element")
	}
	return nil
}
