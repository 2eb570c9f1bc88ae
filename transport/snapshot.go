package transport

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// A snapshot is a session outside of any process: what was agreed on, the two
// windows, the numbered requests not answered yet, and its streams. What belongs
// to connections is not in it: clients repeat what they did not get an answer
// to. Times are kept as how long ago, or still to come.
//
// The first byte is the version of the format. Every version that was ever
// released can be read; a newer one is refused.
const snapshotVersion = 1

// A SavedGate is a Gate that can be part of a snapshot, with the notes that it
// knows.
type SavedGate interface {
	Gate
	// AppendGate and AppendNote are called under the session's lock.
	AppendGate(dst []byte) []byte
	AppendNote(dst []byte, note any) []byte
}

// A GateLoader makes gates and notes from what a SavedGate wrote. The data is
// not kept.
type GateLoader interface {
	LoadGate(p Params, data []byte) (Gate, error)
	LoadNote(data []byte) (any, error)
}

// A savedStream is a stream in a snapshot.
type savedStream struct {
	name, target string
	queue        []Frame // to be given to the receiver
	taken        uint64  // how many frames were, before
	state        streamState
	token        []byte
}

type streamState uint64

const (
	streamLost      streamState = iota // cannot go on
	streamUnopened                     // Backend.Open is to be called
	streamSuspended                    // Resumer.Resume is to be called
)

// ---- writing

// snapshot returns the session with these streams, with the lock held.
func (s *Session) snapshot(streams []savedStream, now time.Time) []byte {
	m := s.machine
	m.params = s.Params() // the attributes may have changed
	return encodeSnapshot(nil, &m, streams, now)
}

// encodeSnapshot appends a machine and its streams. Its gate must be nil or a
// SavedGate.
func encodeSnapshot(dst []byte, m *machine, streams []savedStream, now time.Time) []byte {
	e := &encoder{append(dst, snapshotVersion)}
	gate, _ := m.params.Gate.(SavedGate)
	e.params(&m.params, gate)
	e.uint(m.in.next)
	e.uint(m.out.base)
	e.frames(m.out.frames)
	e.uint(m.sent)
	e.uint(m.given)
	e.uint(m.attach)
	e.duration(m.grace)
	e.uint(uint64(len(m.answers)))
	for i := range m.answers {
		e.answer(&m.answers[i], gate, now)
	}
	arrived := 0
	for arrived < len(m.slots) && m.arrived(&m.slots[arrived]) {
		arrived++ // those above a gap are repeated, for nothing was promised
	}
	e.uint(uint64(arrived))
	for i := range m.slots[:arrived] {
		e.slot(&m.slots[i], gate)
	}
	e.uint(uint64(len(streams)))
	for _, st := range streams {
		e.string(st.name)
		e.string(st.target)
		e.frames(st.queue)
		e.uint(st.taken)
		e.uint(uint64(st.state))
		e.bytes(st.token)
	}
	return e.b
}

func (e *encoder) params(p *Params, gate SavedGate) {
	e.string(p.Protocol)
	e.string(p.Secret)
	e.duration(p.Wait)
	e.duration(p.Inactivity)
	e.duration(p.MaxPause)
	e.int(p.Hold)
	e.int(p.Requests)
	e.uint(p.FirstSeq)
	e.bool(p.OneStream)
	e.int(p.MaxInbox)
	e.int(p.MaxOutbox)
	e.uint(uint64(len(p.Attrs)))
	for _, name := range slices.Sorted(maps.Keys(p.Attrs)) {
		e.string(name)
		e.string(p.Attrs[name])
	}
	e.bool(gate != nil)
	if gate != nil {
		e.bytes(gate.AppendGate(nil))
	}
}

func (e *encoder) frames(frames []Frame) {
	e.uint(uint64(len(frames)))
	for _, f := range frames {
		e.string(f.Stream)
		e.bytes(f.Data)
		e.bool(f.End != nil)
		if f.End != nil {
			e.termination(f.End)
		}
	}
}

func (e *encoder) termination(t *Termination) {
	e.string(string(t.Condition))
	e.string(t.Text)
	e.string(t.URI)
	e.bool(t.ByClient)
	payload := make([][]byte, len(t.Payload))
	for i, f := range t.Payload {
		payload[i] = f.Data
	}
	e.uint(uint64(len(payload)))
	for _, p := range payload {
		e.bytes(p)
	}
}

func (e *encoder) answer(a *answer, gate SavedGate, now time.Time) {
	e.uint(a.seq)
	e.uint(a.first)
	e.int(a.frames)
	e.uint(a.ack)
	e.note(a.note, gate)
	e.int(a.copies)
	e.duration(now.Sub(a.at))
	e.uint(a.report.seq)
	e.duration(a.report.ago)
}

func (e *encoder) slot(s *slot, gate SavedGate) {
	e.uint(s.seq)
	e.bool(s.bare)
	e.note(s.note, gate)
	e.int(s.copies)
	e.uint(s.report.seq)
	e.duration(s.report.ago)
}

func (e *encoder) note(note any, gate SavedGate) {
	e.bool(note != nil && gate != nil)
	if note != nil && gate != nil {
		e.bytes(gate.AppendNote(nil, note))
	}
}

// ---- reading

// decodeSnapshot reads a snapshot. The machine has no connections; it may be
// silent for as long as if it had just been left. loader returns what reads the
// gates of a protocol, or nil. Errors are ErrSnapshot, with what is wrong.
func decodeSnapshot(data []byte, loader func(protocol string) GateLoader, now time.Time) (machine, []savedStream, error) {
	fail := func(what string) (machine, []savedStream, error) {
		return machine{}, nil, fmt.Errorf("%w: %s", ErrSnapshot, what)
	}
	switch {
	case len(data) == 0:
		return fail("empty")
	case data[0] != snapshotVersion:
		return fail(fmt.Sprintf("version %d, and only %d is known", data[0], snapshotVersion))
	}
	d := &decoder{b: data[1:]}
	p, gate, gated := d.params()
	var load GateLoader
	if gated && !d.bad {
		if load = loader(p.Protocol); load == nil {
			return fail("of the unknown protocol " + p.Protocol)
		}
		var err error
		if p.Gate, err = load.LoadGate(p, gate); err != nil {
			return fail(err.Error())
		}
	}
	m := newMachine(p, now)
	m.in.next = d.uint()
	m.out.base = d.uint()
	for _, f := range d.frames() {
		m.out.push(f)
	}
	m.sent, m.given, m.attach, m.grace = d.uint(), d.uint(), d.uint(), d.duration()
	for range d.count() {
		m.answers = append(m.answers, d.answer(load, now))
	}
	for range d.count() {
		m.slots = append(m.slots, d.slot(load, now.Add(p.Wait)))
	}
	streams := make([]savedStream, 0, 1)
	for range d.count() {
		streams = append(streams, savedStream{d.string(), d.string(), d.frames(), d.uint(), streamState(d.uint()), d.bytes()})
	}
	if d.bad || len(d.b) > 0 {
		return fail("damaged")
	}
	if what := m.implausible(streams); what != "" {
		return fail(what)
	}
	return m, streams, nil
}

// implausible looks for what would break the machine's own rules: it relies on
// them without looking.
func (m *machine) implausible(streams []savedStream) string {
	p := &m.params
	switch {
	case p.Wait < 0 || p.Inactivity < 0 || p.MaxPause < 0 || m.grace < 0 || p.Hold < 0 || p.Requests < 1 || p.FirstSeq < 1:
		return "negative parameters"
	case m.in.next < p.FirstSeq || m.out.last() < m.out.base:
		return "windows out of order"
	case m.sent < m.out.base || m.sent > m.out.last() || m.given > m.out.last():
		return "frames sent that are not there"
	}
	before := uint64(0)
	for _, a := range m.answers {
		end := a.first + uint64(a.frames)
		if a.seq <= before || a.seq >= m.in.next || a.frames < 0 || a.first < 1 || end < a.first || end-1 > m.sent {
			return "answers out of order"
		}
		before = a.seq
	}
	for _, s := range m.slots {
		if s.seq <= before || s.seq >= m.in.next {
			return "requests out of order"
		}
		before = s.seq
	}
	for i, st := range streams {
		if st.state > streamSuspended || slices.ContainsFunc(streams[:i], func(o savedStream) bool { return o.name == st.name }) {
			return "streams that cannot be"
		}
	}
	return ""
}

func (d *decoder) params() (p Params, gate []byte, gated bool) {
	p = Params{
		Protocol:   d.string(),
		Secret:     d.string(),
		Wait:       d.duration(),
		Inactivity: d.duration(),
		MaxPause:   d.duration(),
		Hold:       d.int(),
		Requests:   d.int(),
		FirstSeq:   d.uint(),
		OneStream:  d.bool(),
		MaxInbox:   d.int(),
		MaxOutbox:  d.int(),
	}
	if n := d.count(); n > 0 {
		p.Attrs = make(map[string]string, n)
		for range n {
			name := d.string()
			p.Attrs[name] = d.string()
		}
	}
	if gated = d.bool(); gated {
		gate = d.bytes()
	}
	return p, gate, gated
}

func (d *decoder) frames() []Frame {
	n := d.count()
	if n == 0 {
		return nil
	}
	frames := make([]Frame, 0, min(n, 1024))
	for range n {
		f := Frame{Stream: d.string(), Data: slices.Clone(d.bytes())}
		if d.bool() {
			f.End = d.termination()
		}
		if d.bad {
			return nil
		}
		frames = append(frames, f)
	}
	return frames
}

func (d *decoder) termination() *Termination {
	t := &Termination{Condition: Condition(d.string()), Text: d.string(), URI: d.string(), ByClient: d.bool()}
	for range d.count() {
		t.Payload = append(t.Payload, Frame{Data: slices.Clone(d.bytes())})
	}
	return t
}

func (d *decoder) answer(load GateLoader, now time.Time) answer {
	return answer{
		seq:    d.uint(),
		first:  d.uint(),
		frames: d.int(),
		ack:    d.uint(),
		note:   d.note(load),
		copies: d.int(),
		at:     now.Add(-d.duration()),
		report: report{d.uint(), d.duration()},
	}
}

func (d *decoder) slot(load GateLoader, deadline time.Time) slot {
	s := slot{held: held{seq: d.uint(), deadline: deadline}}
	s.bare = d.bool()
	s.note = d.note(load)
	s.copies = d.int()
	s.report = report{d.uint(), d.duration()}
	return s
}

func (d *decoder) note(load GateLoader) any {
	if !d.bool() {
		return nil
	}
	data := d.bytes()
	if load == nil {
		d.fail()
		return nil
	}
	note, err := load.LoadNote(data)
	if err != nil {
		d.fail()
		return nil
	}
	return note
}
