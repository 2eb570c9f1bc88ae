package transport

import "time"

// This file has messages with a number that only bring something, and pulls
// with a cursor, as push.v1 has them.

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
		m.cursor = held{}
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
	m.cursor = held{id: m.lastSlot, seq: p.After, deadline: now.Add(p.Wait), reply: to}
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
