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

	cursor slot   // the one open pull
	attach uint64 // highest attach number seen

	lastSlot uint64        // gives slots their ids
	quiet    time.Time     // since when nothing is open; zero while something is
	grace    time.Duration // how long quiet may last: inactivity, or a pause
	end      *Termination  // set once
	told     bool          // the client was told of the end
	pulled   bool          // a connection pulled under the highest attach number
	shared   bool          // several did; none of them can speak for the others
}

// slot is one connection that waits for its response.
type slot struct {
	id       uint64 // zero: empty
	seq      uint64 // number of the request; of a pull: its cursor
	deadline time.Time
	paused   bool           // answer at once, without frames
	reply    func(Response) // nil: the connection went away, its number still counts
}

// answer is what is kept of an answer to a numbered request, to give it
// again: the frames are still in the outbox.
type answer struct {
	seq, first uint64
	frames     int
	ack        uint64
	end        bool
}

// effects is what is to be done once the session's lock is free, in order.
// None of it points into effects itself, so that it stays on the stack: to
// publish a frame allocates nothing.
type effects struct {
	accepted []Frame // for the backends
	owned    bool    // accepted is ours to append to
	few      [2]reply
	n        int     // how many of few there are
	many     []reply // all, if they are more
}

type reply struct {
	to       func(Response)
	response Response
}

func (fx *effects) reply(to func(Response), r Response) {
	switch {
	case to == nil:
	case fx.many != nil:
		fx.many = append(fx.many, reply{to, r})
	case fx.n < len(fx.few):
		fx.few[fx.n] = reply{to, r}
		fx.n++
	default:
		fx.many = make([]reply, 0, 4*len(fx.few))
		fx.many = append(append(fx.many, fx.few[0], fx.few[1]), reply{to, r})
	}
}

// replies returns them in order.
func (fx *effects) replies() []reply {
	if fx.many != nil {
		return fx.many
	}
	return fx.few[:fx.n]
}

func (fx *effects) accept(frames []Frame) {
	switch {
	case len(frames) == 0:
	case fx.accepted == nil:
		fx.accepted = frames // the common case: nothing to copy
	case fx.owned:
		fx.accepted = append(fx.accepted, frames...)
	default:
		fx.accepted = slices.Concat(fx.accepted, frames)
		fx.owned = true
	}
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

// ---- requests with a number that are answered (BOSH)

// exchange takes a numbered request and answers it in its turn. The id names
// the slot for cancel; zero if it was answered or refused on the spot.
func (m *machine) exchange(now time.Time, r Request, to func(Response), fx *effects) (id uint64, err error) {
	place := m.in.place(r.Seq)
	if place == beyond && r.Seq == m.in.next+m.in.window && (r.End || r.Pause > 0) {
		place = tooSoon // one more than the window is allowed to these (XEP-0124 §11)
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
	id = m.open(slot{seq: r.Seq, deadline: now.Add(wait), reply: to})
	m.quiet = time.Time{} // settle starts it anew, also if it answers at once
	switch {
	case m.end != nil: // too late to take effect; it fetches what is left
	case place == tooSoon: // parked
	default:
		m.apply(now, r, fx)
		for next, ok := m.in.unpark(); ok; next, ok = m.in.unpark() {
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
		r := Response{Seq: seq, First: a.first, Ack: a.ack}
		r.Frames = m.out.from(a.first, a.first+uint64(a.frames)-1)
		if a.end {
			r.End = m.end
		}
		if !m.quiet.IsZero() {
			m.quiet = now
		}
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
	fx.accept(r.Frames)
	m.release(r.AckSeq)
	m.grace = m.params.Inactivity // a pause holds for one silence only
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

func (m *machine) pause(d time.Duration) {
	m.grace = min(d, m.params.MaxPause)
	for i := range m.slots {
		if m.arrived(&m.slots[i]) {
			m.slots[i].paused = true
		}
	}
}

// ---- requests with a number that only bring something (push.v1)

// push takes messages numbered one by one from first; zero stands for the
// next in order. It returns how many of them it dealt with: with ErrFull, the
// others can be offered again when backends have taken something.
func (m *machine) push(now time.Time, first uint64, frames []Frame, fx *effects) (taken int, err error) {
	if m.end != nil {
		return 0, m.end
	}
	m.active(now)
	if first == 0 {
		first = m.in.next
	}
	for i := range frames {
		seq := first + uint64(i)
		switch m.in.place(seq) {
		case inOrder:
			if m.in.full() {
				return taken, ErrFull
			}
			m.takeOne(frames[i:i+1], fx)
		case tooSoon:
			m.in.park(Request{Seq: seq, Frames: frames[i : i+1 : i+1]})
		case beyond:
			return taken, ErrWindow
		}
		taken++
	}
	return taken, nil
}

// takeOne accepts the message in order, and what was parked above it.
func (m *machine) takeOne(frames []Frame, fx *effects) {
	m.in.take(frames)
	fx.accept(frames)
	for next, ok := m.in.unpark(); ok; next, ok = m.in.unpark() {
		m.in.take(next.Frames)
		fx.accept(next.Frames)
	}
}

// taken says that backends have taken n bytes of what was accepted.
func (m *machine) taken(now time.Time, n int, fx *effects) {
	m.in.pending -= n
	m.settle(now, fx)
}

// ---- pulls with a cursor (push.v1)

// attachTo makes n the newest attach number, for pulls to come of a client
// that has all frames up to after.
func (m *machine) attachTo(now time.Time, n, after uint64, fx *effects) error {
	if n <= m.attach {
		return ErrReplaced
	}
	if err := m.goOn(after); err != nil {
		return err
	}
	m.takeOver(n, fx)
	m.active(now)
	m.settle(now, fx)
	return nil
}

// takeOver makes n the newest attach number, displacing what is attached.
func (m *machine) takeOver(n uint64, fx *effects) {
	m.attach, m.pulled, m.shared = n, false, false
	m.out.abandon()
	m.displace(true, fx)
}

// goOn releases the frames up to a cursor, if those above it are still there.
func (m *machine) goOn(after uint64) error {
	if after < m.out.base && m.end == nil {
		return ErrGone
	}
	return m.acknowledge(after)
}

// displace answers the open pull, whose place another one takes. It is told
// Replaced only if that is another connection's: a network that delivers a
// request twice must not look like one to the client.
func (m *machine) displace(replaced bool, fx *effects) {
	if m.cursor.id != 0 {
		fx.reply(m.cursor.reply, Response{First: m.cursor.seq + 1, Ack: m.in.accepted(), Replaced: replaced})
		m.cursor = slot{}
	}
}

// pull asks for the frames after a cursor.
func (m *machine) pull(now time.Time, p Pull, to func(Response), fx *effects) (id uint64, err error) {
	switch {
	case p.Attach < m.attach && (p.Attach != 0 || p.Again):
		fx.reply(to, Response{First: p.After + 1, Ack: m.in.accepted(), Replaced: true})
		return 0, nil
	case p.After > m.out.last():
		err = ErrAhead
	case p.Again && m.shared:
	case p.Again:
		m.out.returned()
	case p.Attach == 0 || p.Attach > m.attach || p.After >= m.out.base:
		err = m.goOn(p.After)
	}
	if err != nil {
		return 0, err
	}
	p.After = max(p.After, m.out.base) // a late copy of the newest pull is harmless
	if p.Attach > m.attach {
		m.takeOver(p.Attach, fx)
	}
	m.shared = m.shared || m.pulled && !p.Again
	m.pulled = true
	m.displace(p.Attach == 0, fx)
	m.lastSlot++
	m.cursor = slot{id: m.lastSlot, seq: p.After, deadline: now.Add(p.Wait), reply: to}
	m.quiet, m.grace = time.Time{}, m.params.Inactivity
	m.settle(now, fx)
	return m.lastSlot, nil
}

// ack releases frames outside a pull.
func (m *machine) ack(now time.Time, frame uint64) error {
	m.active(now)
	return m.acknowledge(frame)
}

// acknowledge releases frames by their number. Those that no answer to a
// numbered request carried yet need none then.
func (m *machine) acknowledge(frame uint64) error {
	err := m.out.ack(frame)
	m.sent = max(m.sent, m.out.base)
	return err
}

// active notes a sign of life of a client that has nothing open.
func (m *machine) active(now time.Time) {
	if !m.quiet.IsZero() && m.end == nil {
		m.quiet, m.grace = now, m.params.Inactivity
	}
}

// ---- the backends' side

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

// terminate ends the session. Only the first call counts.
func (m *machine) terminate(now time.Time, t *Termination, fx *effects) bool {
	if m.end != nil {
		return false
	}
	m.end = t
	m.in.drop()
	if t.Condition == Inactive || t.Condition == Overflow {
		m.out.drop() // nobody fetches them, or they are too many to keep
		m.answers, m.sent = nil, m.out.base
	}
	m.settle(now, fx)
	return true
}

// cancel takes a slot's connection away: it is gone or no longer wants its
// response. It reports whether the slot was still open. The number of a
// request keeps its place: a copy of the request may claim it.
func (m *machine) cancel(now time.Time, id uint64, fx *effects) bool {
	if m.cursor.id == id {
		m.cursor = slot{}
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
