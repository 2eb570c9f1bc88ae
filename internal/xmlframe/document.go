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
	raw, err := s.message(allowDecl, func() error { return s.outermost(e) })
	if err != nil {
		return nil, s.incomplete(err)
	}
	e.Raw = raw
	return e, nil
}

// CheckElement is ParseElement for who only wants to know the element's name. Raw
// is what it is there: the element as written, a part of data.
func CheckElement(data []byte, allowDecl bool, limits *Limits) (name Name, raw []byte, err error) {
	lim := limits.orDefault()
	s := newScanner(data, lim)
	defer s.free()
	if len(data) > lim.MaxBytes {
		return Name{}, nil, s.fail(TooBig, lim.MaxBytes, "message too big")
	}
	var c Child
	raw, err = s.message(allowDecl, func() error { return s.child(&c, nil, Name{}) })
	if err != nil {
		return Name{}, nil, s.incomplete(err)
	}
	return c.Name, raw, nil
}

// message reads the one element of a message; begin reads its start tag.
func (s *scanner) message(allowDecl bool, begin func() error) (raw []byte, err error) {
	if len(s.data) > 0 && s.data[0] != '<' {
		return nil, s.fail(Malformed, 0, "message does not begin with '<'")
	}
	if allowDecl {
		if err := s.xmlDecl(); err != nil {
			return nil, err
		}
		if s.pos > 0 {
			s.pos = s.space(s.pos)
		}
	}
	if err := s.misc(true); err != nil {
		return nil, err
	}
	start := s.pos
	if err := begin(); err != nil {
		return nil, err
	}
	s.closeEmpty()
	if err := s.run(0); err != nil {
		return nil, err
	}
	if s.pos < len(s.data) {
		return nil, s.fail(Malformed, s.pos, "something after the element")
	}
	return s.data[start:s.pos:s.pos], nil
}
