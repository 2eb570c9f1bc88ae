package xmlframe

import "slices"

// EventKind says what a [Splitter] has found.
type EventKind uint8

const (
	// NeedMore is no event: all that was fed has been dealt with.
	NeedMore EventKind = iota
	// Header is the start tag that opens the stream.
	Header
	// Stanza is a complete element directly below the header.
	Stanza
	// Space is white space between stanzas. It carries nothing, but shows
	// that the peer is alive (RFC 6120 §4.6.1). Where one run of it ends and
	// the next begins is a matter of how the bytes arrived.
	Space
	// End is the end tag of the stream.
	End
)

// Event is what [Splitter.Next] returns. Header and Child are nil unless the
// kind says otherwise. The header stays valid; the child's Raw is valid until
// the next call of Next, Feed, Reset or Restart, and so is the Child itself.
type Event struct {
	Kind   EventKind
	Header *Element // Header: the stream's; Raw is nil
	Child  *Child   // Stanza
}

// Splitter takes an XMPP stream (RFC 6120 §4.2) apart while it arrives, in
// pieces of any size:
//
//	s.Feed(p)
//	for {
//		ev, err := s.Next()
//		if err != nil || ev.Kind == NeedMore {
//			break
//		}
//		…
//	}
//
// What it finds does not depend on where the pieces were cut. It keeps the
// bytes of the stanza that is not complete yet, at most Limits.MaxBytes and
// one piece; between stanzas it keeps none, nor any working memory.
//
// The zero value is ready. A Splitter is not safe for concurrent use.
type Splitter struct {
	// Limits may be set before the first Feed.
	Limits *Limits

	state  splitState
	err    error
	header *Element // lean
	child  Child
	empty  bool // the header was an empty-element tag
	again  bool // this stream follows another on the same connection

	buf      []byte // buf[from:] is still to be read
	from     int
	borrowed bool  // buf is the caller's
	offset   int64 // of buf[from] in the stream
	scan     *scanner
}

// splitState is where in the stream buf[from] is.
type splitState uint8

const (
	atStart  splitState = iota // nothing read yet
	atDecl                     // an XML declaration may follow
	atHeader                   // only the header may follow
	inside                     // between stanzas
	inStanza                   // behind the start tag of a stanza
	atEnd                      // behind the end tag
)

// Feed hands in what arrived. The splitter reads p itself and copies what is
// left of it when Next returns NeedMore; until then p must not change.
func (s *Splitter) Feed(p []byte) {
	if s.from == len(s.buf) {
		s.buf, s.from, s.borrowed = p, 0, true
		return
	}
	s.own()
	s.buf = append(s.buf, p...)
}

// own makes buf the splitter's own.
func (s *Splitter) own() {
	if s.borrowed {
		s.buf, s.from, s.borrowed = slices.Clone(s.buf[s.from:]), 0, false
	}
}

// Held returns how many bytes were fed and not yet returned: what stands
// behind the last event. Before TLS begins there must be none (RFC 6120
// §5.4.3.3): they came unprotected and would be taken for protected ones.
func (s *Splitter) Held() int { return len(s.buf) - s.from }

// Peek returns the bytes that Held counts, for a peer that may begin another
// stream with them: see Restart. They are valid as long as those of an event.
func (s *Splitter) Peek() []byte { return s.buf[s.from:] }

// Open reports whether the header has been read and the end tag has not.
func (s *Splitter) Open() bool { return s.state == inside || s.state == inStanza }

// Reset begins a new stream and forgets all bytes held, for a new connection
// or a new security layer. Limits stays.
func (s *Splitter) Reset() {
	s.release()
	*s = Splitter{Limits: s.Limits}
}

// Restart begins a new stream with the bytes held, for a peer that opens one
// on the same connection after authentication (RFC 6120 §6.4.6). White space
// before its header still belongs to the old stream, so that it may stand
// even before an XML declaration. After an error Restart changes nothing.
func (s *Splitter) Restart() {
	if s.err != nil {
		return
	}
	s.release()
	s.state, s.header, s.child, s.empty, s.again = atStart, nil, Child{}, false, true
	s.offset = 0
}

// Next returns the next event. After an error, which is always an [*Error]
// with an offset from the start of the stream, it returns the same error
// again; the stream cannot be read on.
func (s *Splitter) Next() (Event, error) {
	if s.err != nil {
		return Event{}, s.err
	}
	ev, err := s.next()
	if err == nil {
		return ev, nil
	}
	if err == errMore {
		if s.scan == nil || s.window() < s.scan.lim.MaxBytes {
			s.settle()
			return Event{}, nil
		}
		err = s.scan.fail(TooBig, s.scan.lim.MaxBytes, "element too big")
	}
	s.err = err
	s.release()
	s.buf, s.from, s.child = nil, 0, Child{}
	return Event{}, err
}

// window returns how many bytes the scanner may see.
func (s *Splitter) window() int { return min(s.Held(), s.scan.lim.MaxBytes) }

func (s *Splitter) next() (Event, error) {
	if s.empty && s.state == inside {
		s.state = atEnd
		return Event{Kind: End}, nil
	}
	if s.state == inStanza {
		return s.stanza()
	}
	if s.Held() == 0 {
		return Event{}, errMore
	}
	if s.state == atStart {
		if err := s.token((*scanner).skipBOM); err != nil {
			return Event{}, err
		}
		s.state = atDecl
	}
	if s.again || s.state != atDecl {
		if s.skipSpace() {
			return Event{Kind: Space}, nil
		}
	}
	if s.state == atDecl {
		if err := s.token((*scanner).xmlDecl); err != nil {
			return Event{}, err
		}
		s.state = atHeader
		if s.skipSpace() {
			return Event{Kind: Space}, nil
		}
	}
	if s.state == atHeader {
		return s.open()
	}
	return s.tag()
}

// skipSpace passes white space. It needs no scanner, so that keep-alives cost
// an idle stream nothing.
func (s *Splitter) skipSpace() bool {
	n := s.from
	for n < len(s.buf) && class[s.buf[n]]&isSpace != 0 {
		n++
	}
	n -= s.from
	s.took(n)
	return n > 0
}

// took moves on by n bytes.
func (s *Splitter) took(n int) {
	s.from += n
	s.offset += int64(n)
}

// look points the scanner at what is held, getting one if there is none.
func (s *Splitter) look() *scanner {
	if s.scan == nil {
		s.scan = newScanner(nil, s.Limits.orDefault())
		s.scan.parts = true
		if s.header != nil {
			s.scan.enter(s.header)
		}
	}
	s.scan.base = s.offset
	s.scan.data = s.buf[s.from : s.from+s.window()]
	return s.scan
}

// release gives the scanner back.
func (s *Splitter) release() {
	if s.scan != nil {
		s.scan.free()
		s.scan = nil
	}
}

// done ends what the scanner has read: its bytes and its state.
func (s *Splitter) done() {
	s.took(s.scan.pos)
	s.release()
}

// token reads what f reads.
func (s *Splitter) token(f func(*scanner) error) error {
	if s.Held() == 0 {
		return errMore
	}
	if err := f(s.look()); err != nil {
		return err
	}
	s.done()
	return nil
}

// open reads the header.
func (s *Splitter) open() (Event, error) {
	if s.Held() == 0 {
		return Event{}, errMore
	}
	x := s.look()
	if err := x.misc(true); err != nil {
		return Event{}, err
	}
	e := new(Element)
	if err := x.outermost(e); err != nil {
		return Event{}, err
	}
	s.header, s.empty, s.state = e.lean(), x.empty, inside
	s.done()
	return Event{Kind: Header, Header: e}, nil
}

// tag reads the start tag of a stanza and goes on with the stanza, or reads
// the end tag of the stream, or refuses what follows it.
func (s *Splitter) tag() (Event, error) {
	if s.Held() == 0 {
		return Event{}, errMore
	}
	x := s.look()
	if s.state == atEnd {
		return Event{}, x.misc(false)
	}
	end, err := x.between()
	if err != nil {
		return Event{}, err
	}
	if end {
		if !x.wholeTag() {
			return Event{}, errMore
		}
		if x.pos, err = x.closing(s.header.qname()); err != nil {
			return Event{}, err
		}
		s.done()
		s.state = atEnd
		return Event{Kind: End}, nil
	}
	before := s.child.Name
	s.child = Child{}
	if err := x.child(&s.child, s.header, before); err != nil {
		s.child.Name = before
		return Event{}, err
	}
	x.closeEmpty()
	s.state = inStanza
	return s.stanza()
}

// stanza reads the rest of a stanza.
func (s *Splitter) stanza() (Event, error) {
	x := s.look()
	if err := x.run(0); err != nil {
		return Event{}, err
	}
	s.child.Raw, s.child.used = x.data[:x.pos:x.pos], x.used
	s.done()
	s.state = inside
	return Event{Kind: Stanza, Child: &s.child}, nil
}

// settle makes buf the splitter's own and no larger than it has to be, when
// there is nothing to do until more arrives.
func (s *Splitter) settle() {
	s.child.Raw = nil
	switch held := s.Held(); {
	case held == 0:
		s.buf, s.from, s.borrowed = nil, 0, false
		if s.state != inStanza {
			s.release()
		}
	case s.borrowed:
		s.own()
	case s.from > 0 && held < cap(s.buf)/2:
		// Most of it has been read: a large stanza went before a small rest.
		s.buf, s.from = slices.Clone(s.buf[s.from:]), 0
	}
}

// Finish says that the connection has ended. The error is Incomplete unless
// the stream had ended before, with its end tag and nothing begun behind it.
func (s *Splitter) Finish() error {
	switch {
	case s.err != nil:
		return s.err
	case s.state == atEnd && s.Held() == 0:
		return nil
	}
	return &Error{Kind: Incomplete, Offset: s.offset + int64(s.Held()), Text: "connection ended inside the stream"}
}
