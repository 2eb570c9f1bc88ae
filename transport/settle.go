package transport

import "time"

// This file decides which open requests are answered, and with what. The
// rules are the same for every carrier:
//
//   - a pull is answered when there are frames beyond its cursor, when its
//     wait is over, or when the session ends;
//   - numbered requests are answered strictly in order, and none before every
//     earlier request has arrived (XEP-0124 §8, §14.2);
//   - the oldest is answered when there are frames, when more than Hold
//     requests are open, when its wait or that of a later one is over, or when
//     the session ends;
//   - frames are not spent on a connection that is known to be gone;
//   - of a session that its client ended, the oldest open request carries the
//     end, the others end empty (XEP-0124 §13); of one that ended otherwise, all
//     do, after the last frames.

// settle answers all that is due.
func (m *machine) settle(now time.Time, fx *effects) {
	m.settlePull(now, fx)
	for len(m.slots) > 0 && m.due(now) {
		m.answerOldest(now, fx)
	}
	switch open := m.waiting(); {
	case open:
		m.quiet = time.Time{}
	case m.quiet.IsZero():
		m.quiet = now
	}
}

func (m *machine) settlePull(now time.Time, fx *effects) {
	s := &m.cursor
	if s.id == 0 || m.end == nil && m.out.last() == s.seq && now.Before(s.deadline) {
		return
	}
	r := Response{First: s.seq + 1, Ack: m.in.accepted(), End: m.end}
	last := m.upTo(r.First)
	if r.Frames = m.out.from(r.First, last); last < m.out.last() {
		r.End = nil // frames of another stream come first
	}
	m.told = m.told || r.End != nil
	m.given = max(m.given, last)
	to := s.reply
	m.cursor = held{}
	fx.reply(to, r)
}

// due reports whether the oldest numbered request is to be answered now.
func (m *machine) due(now time.Time) bool {
	s := &m.slots[0]
	switch {
	case m.end != nil:
		return true
	case !m.arrived(s):
		return false
	case m.in.full():
		// Backends are behind. An answer would let the client send more, so it
		// gets none but what is owed to it; its window closes by itself.
	case s.bare, s.report.seq != 0, m.waitOver(now), m.arrivedSlots() > m.params.Hold:
		return true
	}
	return m.out.last() > m.sent && m.liveSlots() > 0
}

// waitOver reports whether any arrived request has waited long enough: those
// before it are then answered first.
func (m *machine) waitOver(now time.Time) bool {
	for i := range m.slots {
		if s := &m.slots[i]; m.arrived(s) && !now.Before(s.deadline) {
			return true
		}
	}
	return false
}

// answerOldest answers the oldest numbered request and keeps the answer.
func (m *machine) answerOldest(now time.Time, fx *effects) {
	s := m.slots[0]
	r := Response{Seq: s.seq, First: m.sent + 1, Ack: m.in.accepted(), Note: s.note, Report: s.report.seq, Reported: s.report.ago}
	byClient := m.end != nil && m.end.ByClient
	if s.reply != nil && !byClient && (!s.bare || m.end != nil) {
		r.Frames = m.out.from(r.First, m.upTo(r.First))
		m.sent = r.Last()
	}
	if m.end != nil && s.reply != nil && m.tell(r) {
		r.End, m.told = m.end, true
	}
	m.keep(answer{seq: r.Seq, first: r.First, frames: len(r.Frames), ack: r.Ack, end: r.End != nil, note: s.note, copies: s.copies, at: now, report: s.report})
	if m.slots = m.slots[1:]; len(m.slots) == 0 {
		m.slots = nil
	}
	fx.reply(s.reply, r)
}

// tell reports whether the answer under way carries the end of the session.
// If the client ended it, the oldest does and no other. Else the last frames
// go first, without the end where another request is open to carry it: some
// clients drop payloads that come with an end.
func (m *machine) tell(r Response) bool {
	if m.end.ByClient {
		return !m.told
	}
	return m.sent == m.out.last() && (len(r.Frames) == 0 || m.liveSlots() == 1)
}

// keep remembers an answer for copies of its request.
func (m *machine) keep(a answer) {
	if len(m.answers) >= max(int(orDefault(m.maxAnswers, DefaultMaxAnswers)), m.params.Requests) {
		m.release(m.answers[0].seq)
	}
	m.answers = append(m.answers, a)
}

// upTo returns the last frame that may go in one response with frame first.
func (m *machine) upTo(first uint64) uint64 {
	last := m.out.last()
	if first > last {
		return last
	}
	frames := m.out.frames[first-m.out.base-1:]
	for i := 1; i < len(frames); i++ {
		if m.apart(&frames[i-1], &frames[i]) {
			return first + uint64(i) - 1
		}
	}
	return last
}

// apart reports whether two frames, one after the other, are for two responses.
func (m *machine) apart(before, f *Frame) bool {
	if before.Stream != f.Stream {
		return m.params.OneStream
	}
	return m.params.Gate != nil && m.params.Gate.Apart(before.Data, f.Data)
}

// ---- questions about the numbered requests that are open

// slot returns the index of an open request, or -1.
func (m *machine) slot(seq uint64) int {
	for i := range m.slots {
		if m.slots[i].seq == seq {
			return i
		}
	}
	return -1
}

// open inserts a slot at its place in the order.
func (m *machine) open(s slot) (id uint64) {
	m.lastSlot++
	s.id = m.lastSlot
	i := len(m.slots)
	for i > 0 && m.slots[i-1].seq > s.seq {
		i--
	}
	m.slots = append(m.slots, slot{})
	copy(m.slots[i+1:], m.slots[i:])
	m.slots[i] = s
	return s.id
}

// arrived reports whether every request up to this one has arrived. One that
// waits for a gap to fill does not count as held (XEP-0124 §14.2).
func (m *machine) arrived(s *slot) bool { return s.seq < m.in.next }

func (m *machine) arrivedSlots() (n int) {
	for i := range m.slots {
		if m.arrived(&m.slots[i]) {
			n++
		}
	}
	return n
}

// liveSlots counts the arrived requests whose connection is still there.
func (m *machine) liveSlots() (n int) {
	for i := range m.slots {
		if m.slots[i].reply != nil && (m.arrived(&m.slots[i]) || m.end != nil) {
			n++
		}
	}
	return n
}

// waiting reports whether any connection waits for a response.
func (m *machine) waiting() bool {
	if m.cursor.id != 0 {
		return true
	}
	for i := range m.slots {
		if m.slots[i].reply != nil {
			return true
		}
	}
	return false
}

// gapDeadline returns when a missing request is given up: its successors have
// waited for their full time, and the client had time to repeat it.
func (m *machine) gapDeadline() (time.Time, bool) {
	if len(m.slots) == 0 || m.arrived(&m.slots[0]) {
		return time.Time{}, false
	}
	return m.slots[0].deadline.Add(m.params.Inactivity), true
}
