package transport

import (
	"slices"
	"time"
)

// This file has the requests with a number that are answered, as BOSH has them.

// exchange takes a numbered request and answers it in its turn. The id names
// the slot for cancel; zero if it was answered or refused on the spot.
func (m *machine) exchange(now time.Time, r Request, to func(Response), fx *effects) (id uint64, err error) {
	place := m.in.place(r.Seq)
	if place == beyond && r.Seq == m.in.next+m.in.window && (r.End || r.Pause > 0) {
		place = tooSoon // one more than the window is allowed to these (XEP-0124 §11)
	}
	if t := m.refusedOnArrival(&r, place); t != nil {
		m.refuse(now, t, fx)
		return 0, t
	}
	if i := m.slot(r.Seq); i >= 0 {
		id = m.newerCopy(i, to, fx)
		m.settle(now, fx)
		return id, nil
	}
	switch {
	case place == repeat, m.end != nil && m.answered(r.Seq):
		return 0, m.replay(now, r.Seq, to, fx)
	case m.end != nil && m.passed(r.Seq):
		fx.reply(to, Response{Seq: r.Seq, First: m.sent + 1, Ack: m.in.accepted()})
		return 0, nil
	case m.end != nil && m.told:
		return 0, m.end
	case m.end == nil && place == beyond:
		return 0, ErrWindow
	case m.end == nil && place == inOrder && m.arrivedSlots() >= m.maxOpen(r):
		return 0, ErrTooManyRequests
	case m.end == nil && place == tooSoon && !m.in.park(r):
		return 0, ErrFull
	}
	wait := min(m.params.Wait, orDefault(r.Wait, m.params.Wait))
	id = m.open(slot{held: held{seq: r.Seq, deadline: now.Add(wait), reply: to}, note: r.Note})
	m.quiet = time.Time{} // settle starts it anew, also if it answers at once
	switch {
	case m.end != nil: // too late to take effect; it fetches what is left
	case place == tooSoon: // parked
	default:
		m.apply(now, r, fx)
		for next, ok := m.in.unpark(); ok; next, ok = m.in.unpark() {
			if t := m.refusedInTurn(&next); t != nil {
				m.refuse(now, t, fx)
				break
			}
			m.apply(now, next, fx)
		}
	}
	m.settle(now, fx)
	return id, nil
}

// maxOpen returns how many requests may be open (XEP-0124 §11). A client that
// obeys the window never has more: it is answered as soon as there are more
// than it may hold, unless backends are behind, and then it waits.
func (m *machine) maxOpen(r Request) int {
	n := max(m.params.Requests, m.params.Hold+1)
	if r.End || r.Pause > 0 {
		n++
	}
	return n
}

// newerCopy gives the place of an open request to its newest copy
// (XEP-0124 §14.3).
func (m *machine) newerCopy(i int, to func(Response), fx *effects) (id uint64) {
	s := &m.slots[i]
	fx.repeated = true
	fx.reply(s.reply, Response{Seq: s.seq, First: m.sent + 1, Ack: m.in.accepted(), Replaced: true})
	m.lastSlot++
	s.id, s.reply = m.lastSlot, to
	m.quiet = time.Time{}
	return s.id
}

// replay gives an answer again. It is now the last one, from which inactivity
// and pauses count (XEP-0124 §10).
func (m *machine) replay(now time.Time, seq uint64, to func(Response), fx *effects) error {
	for _, a := range m.answers {
		if a.seq != seq {
			continue
		}
		if a.frames > 0 && a.first <= m.out.base {
			break
		}
		r := Response{Seq: seq, First: a.first, Ack: a.ack, Note: a.note, Report: a.report.seq, Reported: a.report.ago}
		r.Frames = m.out.from(a.first, a.first+uint64(a.frames)-1)
		if a.end {
			r.End = m.end
		}
		if !m.quiet.IsZero() {
			m.quiet = now
		}
		fx.repeated = true
		fx.reply(to, r)
		return nil
	}
	return ErrGone
}

// answered reports whether the answer to a request is kept. When a session
// ends, requests above a gap are answered, too.
func (m *machine) answered(seq uint64) bool {
	return slices.ContainsFunc(m.answers, func(a answer) bool { return a.seq == seq })
}

// passed reports whether a later request was answered. At the end those above
// a gap are; when one in the gap comes after all, it gets an empty answer, so
// that the client, which takes answers in order, comes to the others.
func (m *machine) passed(seq uint64) bool {
	n := len(m.answers)
	return n > 0 && seq < m.answers[n-1].seq
}

// apply lets a request that is in order take effect.
func (m *machine) apply(now time.Time, r Request, fx *effects) {
	m.in.take(r.Frames)
	fx.open(r.Open)
	fx.accept(r.Frames)
	m.release(r.AckSeq)
	if r.Report && r.AckSeq > 0 {
		m.report(now, r.Seq, r.AckSeq+1)
	}
	m.grace = m.params.Inactivity // a pause holds for one silence only
	if i := m.slot(r.Seq); i >= 0 && r.Open != nil {
		// Only its number ties the answer to the new stream (XEP-0124 §16.3).
		m.slots[i].bare = true
	}
	if r.Pause > 0 && m.params.MaxPause > 0 {
		m.pause(r.Pause)
	}
	if r.End {
		m.terminate(now, &Termination{Condition: Normal, ByClient: true}, fx)
	}
}

// release forgets the answers up to a number that the client has, and their
// frames.
func (m *machine) release(seq uint64) {
	k := 0
	for k < len(m.answers) && m.answers[k].seq <= seq {
		k++
	}
	if k > 0 {
		a := m.answers[k-1]
		m.out.ack(a.first + uint64(a.frames) - 1)
		m.answers = append(m.answers[:0], m.answers[k:]...)
	}
}

// report has a request answered at once that shows that the client has no
// answer to an earlier one, if that was given.
func (m *machine) report(now time.Time, seq, missed uint64) {
	i := m.slot(seq)
	for _, a := range m.answers {
		if a.seq == missed && i >= 0 {
			m.slots[i].report = report{missed, now.Sub(a.at)}
		}
	}
}

func (m *machine) pause(d time.Duration) {
	m.grace = min(d, m.params.MaxPause)
	for i := range m.slots {
		if m.arrived(&m.slots[i]) {
			m.slots[i].bare = true
		}
	}
}
