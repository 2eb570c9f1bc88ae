package main

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// busUser is a user of the event bus. It publishes numbered messages to a topic
// of its own, and follows that of the user before it, who does the same; so a
// line is up and down in one. What it knows outlives its sessions: it comes back
// in another one at its position, and publishes again what was not confirmed.
type busUser struct {
	peer *peer // down: what comes from the one before
	next *peer // down: what goes to the next
	from int   // the number of the one before

	mu        sync.Mutex
	session   int    // the one that counts
	published uint64 // confirmed by the bus; that the server has it is not enough, for it may be lost with its session
	epoch     string // position in the topic
	offset    uint64
	err       error
}

// busAhead is how many messages may be on their way to the next, and how many
// may not be confirmed: what waits for a client is to stay within its limits.
const busAhead = 100

func newBus() *bus.Bus {
	return bus.New(&bus.Options{Topics: []bus.TopicRule{{Pattern: "*", History: 10 * busAhead}}})
}

func topicOf(number int) string { return fmt.Sprintf("from %d", number) }

// begin begins a session.
func (u *busUser) begin() *busTraffic {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.session++
	since := fmt.Sprintf(`"history":%d`, 10*busAhead)
	if u.epoch != "" {
		since = fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, u.epoch, u.offset)
	}
	return &busTraffic{user: u, session: u.session, before: u.published, since: since}
}

// complete: nobody leaves before all have everything.
func (u *busUser) complete() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.published == u.next.down.want && u.next.down.isComplete() && u.peer.down.isComplete()
}

// failure returns what the server said that it must not say.
func (u *busUser) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// busTraffic is that of one session of a user.
type busTraffic struct {
	user      *busUser
	session   int
	before    uint64 // published in sessions before
	since     string
	confirmed uint64 // of those of this session
}

func (t *busTraffic) raw(n uint64) []byte {
	if n == 1 {
		return fmt.Appendf(nil, `{"op":"subscribe","topic":%q,%s}`, topicOf(t.user.from), t.since)
	}
	n += t.before - 1
	return fmt.Appendf(nil, `{"op":"publish","topic":%q,"id":"%d","data":%s}`, topicOf(t.user.peer.number), n, message(n))
}

func (t *busTraffic) ready() uint64 {
	t.user.mu.Lock()
	defer t.user.mu.Unlock()
	most := min(t.user.next.down.want, t.user.next.down.got()+busAhead, t.before+t.confirmed+busAhead)
	return 1 + max(most, t.before) - t.before
}

func (t *busTraffic) sent(n uint64) {
	t.user.peer.upSent.Store(max(t.user.peer.upSent.Load(), t.before+n-1))
}

func (t *busTraffic) take(m []byte) {
	var said struct {
		Type, Topic, Epoch, Code, Message string
		Offset                            uint64
		Recovered                         bool
		Data                              json.RawMessage
	}
	u := t.user
	u.mu.Lock()
	defer u.mu.Unlock()
	if t.session != u.session {
		return // it comes too late: another session asked for it
	}
	err := json.Unmarshal(m, &said)
	switch {
	case err != nil:
	case said.Type == "published":
		t.confirmed++
		u.published = t.before + t.confirmed
		return
	case said.Type == "subscribed" && said.Recovered:
		u.epoch, u.offset = said.Epoch, said.Offset
		return
	case said.Type == "message" && said.Offset == u.offset+1:
		u.offset++
		u.peer.down.take(said.Data)
		return
	}
	if u.err == nil {
		u.err = fmt.Errorf("after offset %d: %s", u.offset, m)
	}
}

func (t *busTraffic) complete(_, _ uint64) bool { return t.user.failure() != nil || t.user.complete() }

// busBOSH is the same over BOSH.
type busBOSH struct {
	*busTraffic
	given uint64
}

func (t *busBOSH) payloads(most int) (all []string) {
	for ; most > 0 && t.given < t.ready(); most-- {
		t.given++
		t.sent(t.given)
		all = append(all, `<json xmlns='urn:xmpp:json:0'>`+escape(t.raw(t.given))+`</json>`)
	}
	return all
}

func (t *busBOSH) take(a *boshAnswer) {
	for _, m := range a.Messages {
		t.busTraffic.take([]byte(m))
	}
}

func (t *busBOSH) complete() bool { return t.busTraffic.complete(0, 0) }
