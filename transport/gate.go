package transport

import "time"

// This file asks the adapter about numbered requests: Params.Gate.

// refusedOnArrival asks about a copy of a request, and about a request whose
// turn it is. One that is early is asked about in its turn; when the session
// is over, there are no turns any more.
func (m *machine) refusedOnArrival(r *Request, p place) *Termination {
	if m.params.Gate == nil {
		return nil
	}
	if original, copies := m.original(r.Seq); copies != nil {
		*copies++
		return m.params.Gate.Admit(Turn{Seq: r.Seq, Note: r.Note, Copies: *copies, Original: original, Over: m.end != nil})
	}
	if p != inOrder && m.end == nil {
		return nil
	}
	return m.refusedInTurn(r)
}

// refusedInTurn asks about a request when all before it took effect.
func (m *machine) refusedInTurn(r *Request) *Termination {
	if m.params.Gate == nil {
		return nil
	}
	t := Turn{Seq: r.Seq, Note: r.Note, Streams: int(m.streams), Over: m.end != nil, Waiting: m.arrivedSlots() + 1}
	if !m.in.full() {
		t.Waiting = min(t.Waiting, m.params.Hold)
	}
	if n := len(m.answers); n > 0 {
		last := &m.answers[n-1]
		t.Idle = last.seq+1 == r.Seq && last.frames == 0
	}
	return m.params.Gate.Admit(t)
}

// original returns the note of the first copy of a request, and the count of
// the others; nil if it did not come yet, or is forgotten.
func (m *machine) original(seq uint64) (note any, copies *int) {
	if i := m.slot(seq); i >= 0 {
		return m.slots[i].note, &m.slots[i].copies
	}
	for i := range m.answers {
		if a := &m.answers[i]; a.seq == seq {
			return a.note, &a.copies
		}
	}
	return nil, nil
}

// refuse ends the session, if it lives. Whoever sent the request may not be
// whom the frames are for, so nothing that is kept goes out any more.
func (m *machine) refuse(now time.Time, t *Termination, fx *effects) {
	if m.end == nil {
		m.drop()
		m.terminate(now, t, fx)
	}
}
