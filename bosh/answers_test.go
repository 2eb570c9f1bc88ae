package bosh_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/mochibosh/mochibosh/transport"
)

// This file has when the model answers, and with what.

// settle answers what is to be answered now, the oldest first (XEP-0124 §8.3).
func (m *model) settle() {
	for len(m.open) > 0 && m.due() {
		q := m.open[0]
		waits, byClient := q.flight != nil, m.end != nil && m.end.ByClient
		if waits && !byClient && (!q.bare || m.end != nil) {
			q.frames = slices.Clone(m.sent[m.carried:])
			m.carried = len(m.sent)
		}
		if m.end != nil && waits {
			// XEP-0124 §13: the oldest carries the end that the client asked for.
			// Others follow the last frames.
			q.last = byClient && !m.told || !byClient && (len(q.frames) == 0 || m.waiting() == 1)
			m.told = m.told || q.last
		}
		q.upTo = m.next - 1
		m.open, m.answers = m.open[1:], append(m.answers, q)
		m.answer(q, q.flight)
	}
	switch waits := slices.ContainsFunc(m.open, func(a *ask) bool { return a.flight != nil }); {
	case waits:
		m.silent = false
	case !m.silent:
		m.silent, m.quiet = true, m.now
	}
}

// due reports whether the oldest open request is to be answered.
func (m *model) due() bool {
	over := func(a *ask) bool { return a.number < m.next && a.deadline <= m.now }
	switch {
	case m.end != nil:
		return true
	case m.gap(): // XEP-0124 §14.2: not before those before it
		return false
	case m.carried < len(m.sent) && m.waiting() > 0:
		return true
	}
	// §7.1: hold and wait. Who is answered sends more.
	return !m.behind() && (m.open[0].bare || m.arrived() > m.hold || slices.ContainsFunc(m.open, over))
}

// answer answers a request, now or again.
func (m *model) answer(q *ask, f *flight) {
	switch {
	case q.last:
		m.conclude(f, m.conditionFor(q.number, f), q.frames)
	case q.number == 0:
		m.must(f, 200, reply{whole: m.created})
	default:
		r := reply{payloads: q.frames}
		if m.acks && q.upTo != q.number { // XEP-0124 §9.1
			r.ack = first + q.upTo
		}
		m.must(f, 200, r)
	}
}

// conditionFor says why the session ended to a request that takes it along
// (XEP-0124 §17.2).
func (m *model) conditionFor(number int, f *flight) string {
	switch {
	case m.culprit < 0:
		return words[m.end.Condition]
	case number == m.culprit || f != nil && f.late:
		return lateCondition(m.end.Condition)
	}
	return "other-request"
}

// deny says it to one that comes too late, or whose fault it is.
func (m *model) deny(f *flight, c transport.Condition) { m.conclude(f, lateCondition(c), nil) }

func (m *model) conclude(f *flight, condition string, payloads []string) {
	status := 200
	if m.legacy { // XEP-0124 §17.3
		status = max(status, map[string]int{"bad-request": 400, "policy-violation": 403, "item-not-found": 404}[condition])
	}
	m.must(f, status, reply{kind: "terminate", condition: condition, payloads: payloads})
}

// words are the binding's words for those of the core.
var words = map[transport.Condition]string{
	transport.Normal:       "",
	transport.Inactive:     "item-not-found",
	transport.OutOfWindow:  "item-not-found",
	transport.Policy:       "policy-violation",
	transport.HostGone:     "host-gone",
	transport.BackendError: "remote-stream-error",
	transport.Shutdown:     "system-shutdown",
}

// lateCondition is that of a session that is no more, where there is nothing to
// explain.
func lateCondition(c transport.Condition) string {
	if c == transport.Normal {
		return "item-not-found"
	}
	return words[c]
}

// A reply is an answer in the making.
type reply struct {
	whole           string // all of it
	kind, condition string
	ack             int
	payloads        []string
}

func (r reply) String() string {
	if r.whole != "" {
		return r.whole
	}
	s := "<body xmlns='" + ns + "'"
	if r.kind != "" {
		s += " type='" + r.kind + "'"
	}
	if r.condition != "" {
		s += " condition='" + r.condition + "'"
	}
	if r.ack != 0 {
		s += fmt.Sprintf(" ack='%d'", r.ack)
	}
	if len(r.payloads) == 0 {
		return s + "/>"
	}
	return s + ">" + strings.Join(r.payloads, "") + "</body>"
}

// must says what a connection is to be answered with. Nobody is on one that is
// gone.
func (m *model) must(f *flight, status int, r reply) {
	if f != nil {
		f.want = fmt.Sprint(status, " ", r)
	}
}

// ---- what the model looks at

// find returns the request with this number that is open, or whose answer is
// kept; nil if there is none.
func (m *model) find(number int) *ask {
	for _, a := range slices.Concat(m.open, m.answers) {
		if a.number == number {
			return a
		}
	}
	return nil
}

// arrived counts the open requests before which none is missing.
func (m *model) arrived() (n int) {
	for _, a := range m.open {
		if a.number < m.next {
			n++
		}
	}
	return n
}

// waiting counts those of them that can be answered.
func (m *model) waiting() (n int) {
	for _, a := range m.open {
		if a.flight != nil && (a.number < m.next || m.end != nil) {
			n++
		}
	}
	return n
}

func hash(key string) string {
	sum := sha1.Sum([]byte(key))
	return hex.EncodeToString(sum[:])
}
