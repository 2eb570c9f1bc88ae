package push_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A model is docs/push-v1.md for one session, as two lists of messages and a
// cursor. It is told the same as the endpoints and says what they must say on
// which connection, and when.
type model struct {
	wait, ping, inactivity time.Duration
	window                 uint64
	now                    time.Duration

	next      uint64 // the client's message that is expected
	early     map[uint64]string
	delivered []string

	sent   []string // by the backend
	base   uint64   // of which so many are acknowledged
	attach uint64   // the highest attach number

	cursor   *link // the connection that waits; nil: none
	after    uint64
	deadline time.Duration

	silent bool // none waits, since quiet
	quiet  time.Duration
	end    *transport.Termination
	ended  time.Duration
}

// A link is a connection that asks for messages.
type link struct {
	attach uint64
	kind   string // poll, stream or socket
	want   []string
	over   bool
}

// An object is one of the client.
type object struct {
	first    uint64
	messages []string
	ack      uint64
	attach   uint64
	wait     *time.Duration
	end      bool
}

// An answer is a line of its own: a status and an object.
func answer(status int, object string) string { return fmt.Sprint(status, " ", object) }

// refusal is what a refused request is told (section 6). The words for people
// are left out.
func refusal(code string) string {
	status := map[string]int{"bad-request": 400, "forbidden": 403, "ahead": 409, "replaced": 409, "gone": 410}[code]
	return answer(status, `{"error":{"code":"`+code+`"}}`)
}

// post takes an object that is no poll; it returns the answer.
func (m *model) post(o object) string {
	if refused := m.take(o); refused != "" {
		return refused
	}
	if m.end != nil {
		return answer(200, `{`+m.endOf()+`}`)
	}
	return answer(200, m.accepted())
}

func (m *model) accepted() string { return fmt.Sprintf(`{"ack":%d}`, m.next-1) }

func (m *model) outOfWindow() string {
	return answer(409, fmt.Sprintf(`{"ack":%d,"error":{"code":"window"}}`, m.next-1))
}

// take lets everything take effect that is no poll.
func (m *model) take(o object) (refused string) {
	if len(o.messages) > 0 && o.first == 0 {
		return refusal("bad-request")
	}
	if o.attach == 0 && !m.acknowledge(o.ack) {
		return refusal("ahead")
	}
	if !m.push(o.first, o.messages) {
		return m.outOfWindow()
	}
	if o.end {
		m.terminate(&transport.Termination{Condition: transport.Normal, ByClient: true})
	}
	return ""
}

// push takes messages of the client (rules 2 and 3).
func (m *model) push(first uint64, messages []string) (within bool) {
	if m.end != nil {
		return true // the client is told otherwise
	}
	m.active()
	if first == 0 {
		first = m.next // a socket keeps the order
	}
	for i, message := range messages {
		switch n := first + uint64(i); {
		case n < m.next: // a repeat
		case n >= m.next+m.window:
			return false
		default:
			m.early[n] = message
		}
		for m.early[m.next] != "" {
			m.delivered = append(m.delivered, m.early[m.next])
			delete(m.early, m.next)
			m.next++
		}
	}
	return true
}

// acknowledge takes an acknowledgement (rule 1).
func (m *model) acknowledge(n uint64) (sent bool) {
	m.active()
	if n > m.last() {
		return false
	}
	m.base = max(m.base, n)
	return true
}

// poll opens a link; it returns why it cannot, if so (rules 4 and 5).
func (m *model) poll(l *link, o object) (refused string) {
	if refused := m.take(o); refused != "" {
		return refused
	}
	wait := m.wait
	if o.wait != nil {
		wait = min(wait, *o.wait)
	}
	switch {
	case o.attach < m.attach: // an old copy
		m.say(l, o.ack+1, nil, `"replaced":true`)
		return ""
	case o.ack > m.last():
		return refusal("ahead")
	case o.attach > m.attach || o.ack >= m.base:
		if o.ack < m.base && m.end == nil {
			return refusal("gone")
		}
		m.base = max(m.base, o.ack)
	}
	m.hold(l, o.ack, wait)
	return ""
}

// open opens a stream or a socket, whose first answer comes at once. A socket
// may bring messages with it.
func (m *model) open(l *link, o object) (refused string) {
	switch {
	case o.attach == 0:
		return refusal("bad-request")
	case o.attach <= m.attach:
		return refusal("replaced")
	case o.ack < m.base && m.end == nil:
		return refusal("gone")
	case o.ack > m.last():
		return refusal("ahead")
	}
	m.base, m.attach = max(m.base, o.ack), o.attach
	m.active()
	if displaced := m.cursor; displaced != nil {
		m.cursor = nil
		m.say(displaced, m.after+1, nil, `"replaced":true`)
	}
	m.settle()
	if !m.push(o.first, o.messages) {
		return m.outOfWindow()
	}
	m.hold(l, o.ack, 0)
	return ""
}

// tell takes what a socket says later on.
func (m *model) tell(l *link, o object) (refused string) {
	switch {
	case !m.acknowledge(o.ack):
		return refusal("ahead")
	case !m.push(o.first, o.messages):
		return m.outOfWindow()
	case o.end:
		m.terminate(&transport.Termination{Condition: transport.Normal, ByClient: true})
	case len(o.messages) > 0:
		l.want = append(l.want, m.accepted())
	}
	return ""
}

// hold has a link wait for what follows a message.
func (m *model) hold(l *link, after uint64, wait time.Duration) {
	displaced, from := m.cursor, m.after
	m.cursor, m.after, m.deadline = l, max(after, m.base), m.now+wait
	told := ""
	if l.attach > m.attach {
		m.attach, told = l.attach, `"replaced":true`
	}
	m.silent = false
	m.settle()
	if displaced != nil {
		m.say(displaced, from+1, nil, told)
	}
}

// settle answers the link that waits, if it is time.
func (m *model) settle() {
	if l := m.cursor; l != nil && (m.end != nil || m.after < m.last() || m.deadline <= m.now) {
		m.cursor = nil
		m.say(l, m.after+1, m.sent[min(m.after, m.last()):], m.endOf())
	}
	if m.cursor == nil && !m.silent {
		m.silent, m.quiet = true, m.now
	}
}

// say says something on a link. Polls are over then; a stream asks for what
// follows, unless it was told to go.
func (m *model) say(l *link, first uint64, messages []string, more string) {
	var members []string
	if l.kind == "poll" || l.want == nil { // section 2: others count
		members = append(members, fmt.Sprintf(`"ack":%d,"first":%d`, m.next-1, first))
	}
	if len(messages) > 0 {
		members = append(members, `"messages":[`+strings.Join(messages, ",")+`]`)
	}
	if more != "" {
		members = append(members, more)
	}
	text, last := `{`+strings.Join(members, ",")+`}`, first+uint64(len(messages))-1
	switch l.kind {
	case "poll":
		text = answer(200, text)
	case "stream":
		text = "data: " + text
		if len(messages) > 0 {
			text = fmt.Sprintf("id: %d\n", last) + text
		}
	}
	l.want = append(l.want, text)
	if l.over = l.kind == "poll" || more != ""; l.over {
		if l.kind == "socket" {
			l.want = append(l.want, m.closing(more))
		}
		return
	}
	if l.attach < m.attach { // it asks again, and is told
		m.say(l, last+1, nil, `"replaced":true`)
		return
	}
	m.hold(l, last, m.ping)
}

// closing is how a socket is closed after its last object.
func (m *model) closing(more string) string {
	code := 4000
	if more == m.endOf() {
		code = map[transport.Condition]int{
			transport.Normal: 1000, transport.Inactive: 1001, transport.Shutdown: 1012, transport.BackendError: 1011,
		}[m.end.Condition]
	}
	return fmt.Sprint("close ", code)
}

// endOf is what a client is told of the end; nothing, if there is none.
func (m *model) endOf() string {
	if m.end == nil {
		return ""
	}
	return fmt.Sprintf(`"end":{"code":%q,"retry":%v}`, m.end.Condition, m.end.Condition.Retry())
}

// gone says that a link is gone.
func (m *model) gone(l *link) {
	l.over = true
	if m.cursor == l {
		m.cursor = nil
		m.settle()
	}
}

// ---- the backend, and time

func (m *model) send(messages ...string) {
	if m.end == nil {
		m.sent = append(m.sent, messages...)
		m.settle()
	}
}

func (m *model) last() uint64 { return uint64(len(m.sent)) }

func (m *model) terminate(t *transport.Termination) {
	if m.end == nil {
		m.end, m.ended = t, m.now
		clear(m.early)
		m.settle()
	}
}

// active notes a sign of life of a client of which nothing waits.
func (m *model) active() {
	if m.silent && m.end == nil {
		m.quiet = m.now
	}
}

// due returns when something happens if nobody does anything.
func (m *model) due() (at time.Duration, ok bool) {
	var all []time.Duration
	if m.cursor != nil {
		all = append(all, m.deadline)
	}
	if m.silent && m.end == nil {
		all = append(all, m.quiet+m.inactivity)
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
	if m.silent && m.end == nil && now >= m.quiet+m.inactivity {
		m.base = m.last() // nobody fetches them
		m.terminate(&transport.Termination{Condition: transport.Inactive})
	}
}

// forgotten reports whether nobody remembers the session.
func (m *model) forgotten() bool {
	return m.end != nil && m.now >= m.ended+m.wait+m.inactivity
}
