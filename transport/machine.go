package transport

import (
	"slices"
	"time"
)

// machine is a session without its clock, its lock and its timer: two windows
// (inbox and outbox), the requests not answered yet, and the deadlines. Every
// method that can change something takes the time and appends what is to be
// done about it to effects. The machine never looks at a clock, starts
// nothing and calls nobody, so a table of calls and answers tests all of it.
type machine struct {
	params Params
	in     inbox
	out    outbox

	slots   []slot   // numbered requests not answered yet, ascending
	answers []answer // the last answers to numbered requests, ascending
	sent    uint64   // last frame that an answer to a numbered request carried

	given  uint64   // last frame that the response to a pull carried
	unsent *[]Frame // what no connection took when the session ended for good; nil: nothing

	receipts *receipts // that backends wait for; nil: none

	cursor held   // the one open pull
	attach uint64 // highest attach number seen

	lastSlot   uint64        // gives slots their ids
	quiet      time.Time     // since when nothing is open; zero while something is
	grace      time.Duration // how long quiet may last: inactivity, or a pause
	end        *Termination  // set once
	told       bool          // the client was told of the end
	pulled     bool          // a connection pulled under the highest attach number
	shared     bool          // several did; none of them can speak for the others
	squeezed   bool          // memory is tight
	maxAnswers uint16        // kept; zero: DefaultMaxAnswers
	streams    uint16        // how many are open, for Turn
}

// held is one connection that waits for its response.
type held struct {
	id       uint64 // zero: none
	seq      uint64 // number of the request; of a pull: its cursor
	deadline time.Time
	reply    func(Response) // nil: the connection went away, its number still counts
}

// slot is a numbered request that is not answered yet.
type slot struct {
	held
	bare   bool   // answer at once, without frames
	note   any    // of the first copy
	copies int    // seen after the first
	report report // set: answer at once, and say so
}

// answer is what is kept of an answer to a numbered request, to give it
// again: the frames are still in the outbox.
type answer struct {
	seq, first uint64
	frames     int
	ack        uint64
	end        bool
	note       any
	copies     int
	at         time.Time // when it was given first
	report     report
}

// report names an answer that the client seems to miss.
type report struct {
	seq uint64 // zero: none
	ago time.Duration
}

func newMachine(p Params, now time.Time) machine {
	return machine{
		params: p,
		in:     inbox{next: p.FirstSeq, window: uint64(p.Requests), max: p.MaxInbox},
		out:    outbox{max: p.MaxOutbox},
		quiet:  now,
		grace:  p.Inactivity,
	}
}

// ---- the backends' side, and time

// send queues a frame for the client.
func (m *machine) send(now time.Time, f Frame, fx *effects) error {
	if m.end != nil {
		return m.end
	}
	if !m.out.add(f) {
		return ErrFull
	}
	m.settle(now, fx)
	return nil
}

// sendSome queues frames of a stream, as many as there is room for, and only
// then settles, so that one answer carries them all. It returns how many; with
// ErrFull, there is no room for the next.
func (m *machine) sendSome(now time.Time, stream string, data [][]byte, fx *effects) (n int, err error) {
	if m.end != nil {
		return 0, m.end
	}
	for n < len(data) && m.out.add(Frame{Stream: stream, Data: data[n]}) {
		n++
	}
	if n > 0 {
		m.settle(now, fx)
	}
	if n < len(data) {
		err = ErrFull
	}
	return n, err
}

// sendAll is sendSome that takes all frames or, with ErrFull, none: together
// they have to fit as one frame of their size would.
func (m *machine) sendAll(now time.Time, stream string, data [][]byte, fx *effects) error {
	size := 0
	for _, p := range data {
		size += len(p) + frameOverhead
	}
	switch {
	case m.end != nil:
		return m.end
	case !m.out.fits(size):
		return ErrFull
	}
	for _, p := range data {
		m.out.push(Frame{Stream: stream, Data: p})
	}
	m.settle(now, fx)
	return nil
}

// terminate ends the session. Only the first call counts.
func (m *machine) terminate(now time.Time, t *Termination, fx *effects) bool {
	if m.end != nil {
		return false
	}
	m.end = t
	m.lose(t, func(*receipt) bool { return true })
	m.in.drop()
	switch {
	case t.Condition == Inactive, t.Condition == Overflow:
		m.drop() // nobody fetches them, or they are too many to keep
	case t.ByClient:
		m.leave()
	}
	m.settle(now, fx)
	return true
}

// drop releases all that was sent or is to be, and the answers with it.
func (m *machine) drop() {
	m.leave()
	m.out.drop()
	m.answers, m.sent = nil, m.out.base
}

// leave notes what the client will not get: who sent it may want to know.
func (m *machine) leave() {
	first := max(m.sent, m.given, m.out.base) + 1
	if left := slices.Clone(m.out.from(first, m.out.last())); len(left) > 0 {
		m.unsent = &left
	}
}

// cancel takes a slot's connection away: it is gone or no longer wants its
// response. It reports whether the slot was still open. The number of a
// request keeps its place: a copy of the request may claim it.
func (m *machine) cancel(now time.Time, id uint64, fx *effects) bool {
	if m.cursor.id == id {
		m.cursor = held{}
		m.settle(now, fx)
		return true
	}
	for i := range m.slots {
		if m.slots[i].id == id {
			m.slots[i].id, m.slots[i].reply = 0, nil
			m.settle(now, fx)
			return true
		}
	}
	return false
}

// hurry ends the wait of a slot: it and those before it are answered in their
// turn, with what there is.
func (m *machine) hurry(now time.Time, id uint64, fx *effects) {
	if m.cursor.id == id {
		m.cursor.deadline = now
	}
	for i := range m.slots {
		if m.slots[i].id == id {
			m.slots[i].deadline = now
		}
	}
	m.settle(now, fx)
}

// advance does what the time has made due.
func (m *machine) advance(now time.Time, fx *effects) {
	m.settle(now, fx)
	if m.end != nil {
		return
	}
	if !m.quiet.IsZero() && !now.Before(m.quiet.Add(m.grace)) {
		m.terminate(now, &Termination{Condition: Inactive, Text: "no request for " + m.grace.String()}, fx)
	} else if at, ok := m.gapDeadline(); ok && !now.Before(at) {
		m.terminate(now, &Termination{Condition: OutOfWindow, Text: "a request before one that arrived is missing"}, fx)
	}
}

// deadline returns when advance is to be called next; false: never.
func (m *machine) deadline() (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if m.cursor.id != 0 {
		earliest(m.cursor.deadline)
	}
	for i := range m.slots {
		if s := &m.slots[i]; m.arrived(s) && !m.in.full() { // taken settles, when it is no longer full
			earliest(s.deadline)
		}
	}
	if m.end == nil {
		if !m.quiet.IsZero() {
			earliest(m.quiet.Add(m.grace))
		}
		if t, gap := m.gapDeadline(); gap {
			earliest(t)
		}
	}
	return at, ok
}
