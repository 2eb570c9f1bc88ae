package bosh_test

import (
	"slices"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A model is XEP-0124 for one session, as plain lists of what was asked and of
// what was answered. It is told the same as the endpoint and says what that must
// answer to whom, to the byte, and when. Requests are numbered from the creation,
// which is 0.
type model struct {
	terms
	now       time.Duration
	created   string // the answer to the creation
	next      int    // the request expected next
	open      []*ask // not answered yet, early ones too; by number
	answers   []*ask // kept to be given again; by number
	key       string // that the next one is to hash to; "": there are none
	last      *ask   // the newest that took effect
	delivered []string
	pending   int      // bytes of delivered that the backend has not taken
	sent      []string // by the backend
	carried   int      // how many of sent went out
	silent    bool     // no connection waits, since quiet
	quiet     time.Duration
	grace     time.Duration // how long that may last
	end       *transport.Termination
	ended     time.Duration
	culprit   int  // the request whose fault the end is; -1: none
	told      bool // of the end
}

// terms are what holds for the session.
type terms struct {
	wait, inactivity, maxPause time.Duration
	polling                    time.Duration // the shortest time between polls; zero: any
	hold, requests, repeats    int
	inbox                      int // bytes that the backend may be behind by
	acks, legacy               bool
}

// An ask is a request of the session, and what becomes of it.
type ask struct {
	number      int
	payloads    []string
	ack         int // -1: none
	pause       time.Duration
	terminate   bool
	key, newKey string

	arrived  time.Duration
	deadline time.Duration
	bare     bool // to be answered at once, with nothing
	copies   int
	flight   *flight // the newest connection that it waits on; nil: gone

	frames []string // of the answer
	upTo   int      // what it acknowledges
	last   bool     // it carries the end
}

func (q *ask) empty() bool {
	return q.number > 0 && q.payloads == nil && q.pause == 0 && !q.terminate
}

func newModel(t terms, creation *ask, created string) *model {
	return &model{
		terms: t, created: created, next: 1, answers: []*ask{creation}, key: creation.newKey, last: creation,
		silent: true, grace: t.inactivity, culprit: -1,
	}
}

// request says that a request arrived.
func (m *model) request(q *ask, f *flight) {
	q.arrived = m.now
	f.late = m.end != nil
	before := m.find(q.number)
	kept := slices.Contains(m.answers, before)
	place, above := q.number-m.next, m.requests
	if q.terminate || q.pause > 0 {
		above++ // XEP-0124 §11: one more than the window is for these
	}
	switch {
	case m.forgotten():
		m.must(f, 200, reply{kind: "terminate", condition: "item-not-found"})
		return
	case q.pause > m.maxPause:
		m.fault(q, f, transport.Policy)
		return
	}
	if c := m.refused(q, before); c != "" {
		m.drop() // it may be a thief's
		m.fault(q, f, c)
		return
	}
	switch {
	case before != nil && !kept: // XEP-0124 §14.3: the newest copy of what is held counts
		m.must(before.flight, 200, reply{kind: "error"})
		before.flight, m.silent = f, false
		m.settle()
	case kept: // §14.3: the same answer again; §10: from which inactivity counts
		if m.silent {
			m.quiet = m.now
		}
		m.answer(before, f)
	case place < 0: // §14.3: no longer kept
		m.deny(f, transport.OutOfWindow)
	case f.late && len(m.answers) > 0 && q.number < m.answers[len(m.answers)-1].number:
		m.answer(&ask{number: q.number, upTo: m.next - 1}, f) // so that the client comes to the later ones
	case f.late && m.told:
		m.deny(f, m.end.Condition)
	case !f.late && place >= above: // §14.2
		m.fault(q, f, transport.OutOfWindow)
	case !f.late && place == 0 && m.arrived() >= max(above, m.hold+1): // §11
		m.fault(q, f, transport.Policy)
	default:
		q.flight, q.deadline, m.silent = f, m.now+m.wait, false
		at, _ := slices.BinarySearchFunc(m.open, q.number, func(a *ask, n int) int { return a.number - n })
		m.open = slices.Insert(m.open, at, q)
		if !f.late && place == 0 {
			m.takeEffect(q)
		}
		m.settle()
	}
}

// takeEffect lets a request take effect, and those that waited for it.
func (m *model) takeEffect(q *ask) {
	for {
		m.next++
		m.delivered = append(m.delivered, q.payloads...)
		m.pending += size(q.payloads)
		m.release(q)
		m.grace = m.inactivity
		if q.pause > 0 { // XEP-0124 §10: what is held comes back
			m.grace = q.pause
			for _, a := range m.open {
				a.bare = a.bare || a.number < m.next
			}
		}
		if q.terminate {
			m.terminate(&transport.Termination{Condition: transport.Normal, ByClient: true}, -1)
			return
		}
		if q = m.find(m.next); q == nil {
			return
		}
		if c := m.refused(q, nil); c != "" {
			m.drop()
			m.terminate(&transport.Termination{Condition: c}, q.number)
			return
		}
	}
}

// release forgets the answers that the client has.
func (m *model) release(q *ask) {
	has := q.number - m.requests - 1 // XEP-0124 §14.3: else it could not ask
	switch {
	case m.acks && q.ack < 0: // §9.2: all of them
		has = q.number - 1
	case m.acks:
		has = min(q.ack, q.number-1)
	}
	m.answers = slices.DeleteFunc(m.answers, func(a *ask) bool { return a.number <= has })
}

// refused judges a copy of a request, and one whose turn it is.
func (m *model) refused(q, before *ask) transport.Condition {
	if before != nil {
		before.copies++
		switch {
		case q.key != before.key || q.newKey != before.newKey: // XEP-0124 §15.4
			return transport.OutOfWindow
		case before.copies > m.repeats: // §14.3
			return transport.Policy
		}
		return ""
	}
	switch wrong := m.key != "" && hash(q.key) != m.key; {
	case q.number != m.next && m.end == nil: // in its turn
		return ""
	case wrong: // §15.4
		return transport.OutOfWindow
	case m.end != nil:
		return ""
	}
	last, apart := m.last, q.arrived-m.last.arrived
	m.last = q
	if m.key != "" {
		m.key = q.key
	}
	// §12: the second of two polls, if the first was answered with nothing.
	if m.polling > 0 && last.empty() && q.empty() && slices.Contains(m.answers, last) && len(last.frames) == 0 &&
		apart >= 0 && apart < m.polling-m.polling/5 {
		return transport.Policy
	}
	return ""
}

// gone says that a connection went away.
func (m *model) gone(f *flight) {
	for _, a := range m.open {
		if a.flight == f {
			a.flight = nil
		}
	}
	m.settle()
}

// ---- the backend

func (m *model) send(frame string) {
	if m.end == nil {
		m.sent = append(m.sent, frame)
		m.settle()
	}
}

// taken says that the backend has taken all that there is.
func (m *model) taken() {
	m.pending = 0
	m.settle()
}

// behind reports whether the backend is behind by so much that a client is kept
// from sending more.
func (m *model) behind() bool { return m.pending >= m.inbox }

// size is what payloads count for.
func size(payloads []string) (n int) {
	for _, p := range payloads {
		n += len(p) + 64
	}
	return n
}

// ---- time

// deadline returns when something happens if nobody does anything.
func (m *model) deadline() (at time.Duration, ok bool) {
	var all []time.Duration
	if m.end != nil {
		return 0, false
	}
	for _, a := range m.open {
		if a.number < m.next && !m.behind() {
			all = append(all, a.deadline)
		}
	}
	if m.silent {
		all = append(all, m.quiet+m.grace)
	}
	if m.gap() {
		all = append(all, m.open[0].deadline+m.inactivity)
	}
	if len(all) == 0 {
		return 0, false
	}
	return slices.Min(all), true
}

// pass says what time it is.
func (m *model) pass(now time.Duration) {
	m.now = now
	m.settle()
	switch {
	case m.end != nil:
	case m.silent && now >= m.quiet+m.grace: // XEP-0124 §10
		m.drop()
		m.terminate(&transport.Termination{Condition: transport.Inactive}, -1)
	case m.gap() && now >= m.open[0].deadline+m.inactivity: // what is missing does not come
		m.terminate(&transport.Termination{Condition: transport.OutOfWindow}, -1)
	}
}

// gap reports whether all that is open waits for a request that did not come.
func (m *model) gap() bool { return len(m.open) > 0 && m.open[0].number >= m.next }

// forgotten reports whether nobody remembers the session.
func (m *model) forgotten() bool {
	return m.end != nil && m.now >= m.ended+m.wait+m.inactivity
}

// ---- ends

// terminate ends the session, perhaps by the fault of a request.
func (m *model) terminate(t *transport.Termination, culprit int) {
	if m.end == nil {
		m.end, m.ended, m.culprit = t, m.now, culprit
		m.settle()
	}
}

// fault ends the session for a request, which is told so.
func (m *model) fault(q *ask, f *flight, c transport.Condition) {
	m.terminate(&transport.Termination{Condition: c}, q.number)
	m.deny(f, c)
}

// drop gives up what was sent, and the answers.
func (m *model) drop() {
	if m.end == nil {
		m.carried, m.answers = len(m.sent), nil
	}
}
