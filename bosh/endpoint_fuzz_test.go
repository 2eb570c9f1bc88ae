package bosh_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/parktest"
	"github.com/mochibosh/mochibosh/transport"
)

// FuzzEndpoint plays legal and illegal requests to the endpoint, lets connections
// break, time pass, the backend speak, be behind and leave, and compares every
// answer, its time, and what the backend got, with the [model]. At the end the
// session is over, and nothing of it is left.
//
// The first byte chooses the terms; then each pair is a step and its argument.
func FuzzEndpoint(f *testing.F) {
	const next, ahead, again, old, pause, bye, cut, wait, say, leave, stall, odd = 0, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15
	f.Add([]byte{0, next, 1, say, 1, next, 2, again, 0, wait, 2, wait, 3, next, 0, bye, 255})
	f.Add([]byte{1, next, 0, next, 1, ahead, 1, next, 3, cut, 0, again, 1, say, 2, again, 1, leave, 251})
	f.Add([]byte{2, next, 0, wait, 1, next, 0, say, 2, next, 0, next, 1, wait, 5, next, 0, next, 0})   // polls too often
	f.Add([]byte{8, next, 0, say, 0, next, 9, next, 17, old, 2, again, 3, ahead, 0, next, 1, wait, 4}) // acknowledges
	f.Add([]byte{16, next, 0, next, 1, again, 0, odd, 130, again, 1, next, 2, odd, 255, next, 1})      // with keys
	f.Add([]byte{32, next, 0, ahead, 3, next, 0})                                                      // no version
	f.Add([]byte{64, stall, 0, next, 3, next, 3, next, 3, next, 3, next, 3, next, 3, next, 3, say, 1, stall, 0, pause, 1, wait, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 120 {
			return
		}
		synctest.Test(t, func(t *testing.T) { newEndpoint(t, &script).play(script) })
	})
}

// An endpoint is the real one, and what is known of it.
type endpoint struct {
	t        *testing.T
	start    time.Time
	handler  http.Handler
	manager  *transport.Manager
	backend  *slowBackend
	model    *model
	parks    bool // connections can be parked
	keys     bool
	asked    []*ask
	flights  []*flight // not answered yet
	steps    []string
	up, down int // payloads so far
}

// A flight is a request on its connection.
type flight struct {
	*parktest.Flight
	step int
	want string // as the model has it; "": not answered
	late bool   // the session was over when it came
}

func newEndpoint(t *testing.T, script *[]byte) *endpoint {
	var choice byte
	if len(*script) > 0 {
		choice, *script = (*script)[0], (*script)[1:]
	}
	has := func(bit byte) bool { return choice&bit != 0 }
	terms := terms{
		wait: 10 * time.Second, inactivity: 30 * time.Second, maxPause: time.Minute,
		hold: 1, requests: 2, repeats: 3, inbox: 1500, acks: has(8), legacy: has(32),
	}
	opts := &bosh.Options{
		Wait: terms.wait, Hold: 2, Inactivity: terms.inactivity, MaxPause: terms.maxPause, Repeats: terms.repeats,
		Polling: -1, NoStreams: true,
	}
	attrs := ""
	if has(1) {
		terms.hold, terms.requests = 2, 3
	}
	if has(2) {
		terms.wait, terms.polling, opts.Polling = 0, 5*time.Second, 5*time.Second
		terms.inactivity += 2 * terms.polling // XEP-0124 §12
	}
	creation := &ask{}
	if !has(32) {
		attrs += " ver='1.6'"
	}
	if has(8) {
		attrs += " ack='1'"
	}
	if has(16) {
		creation.newKey = keyOf(0)
		attrs += " newkey='" + creation.newKey + "'"
	}
	e := &endpoint{
		t: t, start: time.Now(), backend: newSlowBackend(), parks: has(64), keys: has(16),
	}
	e.manager = transport.NewManager(&transport.Options{
		Backend: e.backend, Limits: transport.Params{MaxInbox: terms.inbox}, NewID: func() string { return "it" },
	})
	e.handler = bosh.NewHandler(e.manager, opts)
	f := e.fly(body(fmt.Sprintf("rid='%d' to='be.test' wait='%d' hold='%d'%s", first, terms.wait/time.Second, terms.hold, attrs), ""))
	created := f.Body()
	if !strings.Contains(created, " sid='it' ") {
		t.Fatalf("no session: %s", created)
	}
	e.flights = nil
	e.model = newModel(terms, creation, created)
	e.asked = []*ask{creation}
	return e
}

func (e *endpoint) play(script []byte) {
	for ; len(script) > 1; script = script[2:] {
		e.step(script[0]%16, int(script[1]))
		e.compare()
	}
	if e.backend.stalled {
		e.stall()
		e.compare()
	}
	e.pass(5 * time.Minute) // longer than any wait, pause and inactivity
	if s := e.manager.Stats(); s.Sessions+s.Ended > 0 || len(e.flights) > 0 {
		e.fail("left at the end: %+v, %d requests", s, len(e.flights))
	}
}

// step does one thing. What ends a session is rare, so that there is one.
func (e *endpoint) step(what byte, arg int) {
	m, rare := e.model, arg >= 224
	switch what {
	default: // the request that comes next
		e.ask(&ask{number: m.next, payloads: e.payloads(arg % 4), ack: e.acknowledgement(m.next, arg/4)})
	case 4: // one that comes too early, or much too early
		n := m.next + 1 + arg%2
		if rare {
			n += arg % 8
		}
		e.ask(&ask{number: n, payloads: e.payloads(arg / 2 % 3), ack: e.acknowledgement(n, arg/8)})
	case 5: // a copy of one that was sent
		e.repeat(e.asked[len(e.asked)-1-arg%min(4, len(e.asked))])
	case 6: // a copy of an older one
		if rare {
			e.repeat(e.asked[arg%len(e.asked)])
		}
	case 7: // a pause, also beyond the window
		q := &ask{number: m.next, ack: -1, pause: time.Duration(1+arg%60) * time.Second}
		if arg&64 != 0 {
			q.number += m.requests
		}
		if rare {
			q.pause += m.maxPause
		}
		e.ask(q)
	case 8: // the end
		if rare {
			e.ask(&ask{number: m.next + arg%2, payloads: e.payloads(arg / 2 % 3), ack: -1, terminate: true})
		}
	case 9: // a connection breaks
		if len(e.flights) > 0 {
			e.cut(e.flights[arg%len(e.flights)])
		}
	case 10, 11: // time passes
		e.pass([]time.Duration{
			time.Millisecond, time.Second, 4 * time.Second, 5 * time.Second, 10 * time.Second, 29 * time.Second,
			30 * time.Second, 40 * time.Second,
		}[arg%8])
	case 12: // the backend speaks
		for range 1 + arg%3 {
			e.down++
			frame := payload(1000 + e.down)
			e.logf("the backend sends %d", 1000+e.down)
			e.backend.stream.TrySend([]byte(frame))
			m.send(frame)
		}
	case 13: // the backend leaves
		if rare {
			all := []transport.Condition{transport.Normal, transport.BackendError, transport.HostGone, transport.Shutdown}
			t := &transport.Termination{Condition: all[arg%len(all)]}
			e.logf("the backend leaves: %s", t.Condition)
			e.backend.stream.Close(t)
			m.terminate(t, -1)
		}
	case 14: // the backend stops taking, or goes on
		e.stall()
	case 15: // what is no request of the session
		e.odd(arg)
	}
}

func (e *endpoint) odd(arg int) {
	n := e.model.next
	switch {
	case arg >= 224:
		e.ask(&ask{number: n, ack: -1, key: "wrong"})
	case arg >= 128 && e.keys: // a copy by somebody who has seen no key
		q := *e.asked[len(e.asked)-1]
		q.key, q.newKey = "wrong", ""
		e.send(&q)
	default:
		xml := []string{
			"", "<", "<body/>", body("", ""), body("sid='it'", ""), body(fmt.Sprintf("sid='it' rid='%d'", first+n), "<a>"),
			body(fmt.Sprintf("sid='it' rid='%d'", first+n), "text"), body("sid='it' rid='0'", ""),
			body(fmt.Sprintf("sid='it' rid='%d' ack='x'", first+n), ""), body(fmt.Sprintf("sid='other' rid='%d'", first+n), ""),
		}[arg%10]
		e.logf("odd: %s", xml)
		condition := "bad-request"
		if strings.Contains(xml, "other") {
			condition = "item-not-found"
		}
		e.model.must(e.fly(xml), 200, reply{kind: "terminate", condition: condition})
	}
}

// ---- requests

func (e *endpoint) payloads(n int) (all []string) {
	for range n {
		e.up++
		all = append(all, payload(e.up))
	}
	return all
}

// acknowledgement is none, or of one of the requests before.
func (e *endpoint) acknowledgement(number, arg int) int {
	if !e.model.acks || arg%4 == 0 {
		return -1
	}
	return max(0, number-arg%4)
}

// ask makes a request. A number that was used before means a copy.
func (e *endpoint) ask(q *ask) {
	for _, before := range e.asked {
		if before.number == q.number {
			e.repeat(before)
			return
		}
	}
	if e.keys && q.key == "" {
		q.key = keyOf(q.number)
	}
	e.asked = append(e.asked, q)
	e.send(q)
}

// repeat sends a request again, byte for byte.
func (e *endpoint) repeat(q *ask) {
	again := *q
	again.flight, again.frames, again.copies, again.bare, again.last = nil, nil, 0, false, false
	e.send(&again)
}

func (e *endpoint) send(q *ask) {
	attrs := fmt.Sprintf("sid='it' rid='%d'", first+q.number)
	if q.ack >= 0 && e.model.acks && q.number > 0 {
		attrs += fmt.Sprintf(" ack='%d'", first+q.ack)
	}
	for name, value := range map[string]string{"key": q.key, "newkey": q.newKey} {
		if value != "" {
			attrs += " " + name + "='" + value + "'"
		}
	}
	if q.pause > 0 {
		attrs += fmt.Sprintf(" pause='%d'", q.pause/time.Second)
	}
	if q.terminate {
		attrs += " type='terminate'"
	}
	e.logf("request %d: %s %s", q.number, attrs, strings.Join(q.payloads, ""))
	f := e.fly(body(attrs, strings.Join(q.payloads, "")))
	e.model.request(q, f)
}

// fly brings a request to the handler, and returns when that has answered, or
// waits.
func (e *endpoint) fly(xml string) *flight {
	r := httptest.NewRequestWithContext(e.t.Context(), "POST", "/", strings.NewReader(xml))
	f := &flight{Flight: parktest.Fly(e.handler, r, e.parks), step: len(e.steps)}
	synctest.Wait()
	e.flights = append(e.flights, f)
	return f
}

func (e *endpoint) cut(f *flight) {
	e.logf("cut: %s", e.steps[f.step-1])
	f.Cut()
	synctest.Wait()
	e.flights = slices.DeleteFunc(e.flights, func(other *flight) bool { return other == f })
	e.model.gone(f)
}

// ---- time, and what is seen

// pass lets time pass, from one deadline to the next.
func (e *endpoint) pass(d time.Duration) {
	until := time.Since(e.start) + d
	e.logf("%v later", d)
	for at, ok := e.model.deadline(); ok && at <= until; at, ok = e.model.deadline() {
		e.passTo(at)
	}
	e.passTo(until)
}

func (e *endpoint) passTo(at time.Duration) {
	if before := at - 1 - time.Since(e.start); before > 0 {
		time.Sleep(before)
		e.compare() // nothing comes before its time
	}
	time.Sleep(at - time.Since(e.start))
	synctest.Wait()
	e.model.pass(at)
	e.compare()
}

func (e *endpoint) stall() {
	e.logf("the backend is stalled: %v", !e.backend.stalled)
	e.backend.stall()
	synctest.Wait()
}

// compare looks at what is answered, and at what the backend has.
func (e *endpoint) compare() {
	synctest.Wait()
	got, all := e.backend.received(), e.model.delivered
	if e.model.end != nil {
		all = append(slices.Clone(all), "closed")
	}
	switch want := strings.Join(all, " "); {
	case !strings.HasPrefix(want, got), !e.backend.stalled && got != want:
		e.fail("the backend got %q, want %q", got, want)
	case !e.backend.stalled:
		e.model.taken()
	}
	e.flights = slices.DeleteFunc(e.flights, func(f *flight) bool {
		answer := ""
		if f.Over() {
			answer = fmt.Sprint(f.Status(), " ", f.Body())
		}
		if answer != f.want {
			e.fail("%s:\n got %q\nwant %q", e.steps[max(0, f.step-1)], answer, f.want)
		}
		return answer != ""
	})
}

func (e *endpoint) logf(format string, args ...any) {
	e.steps = append(e.steps, fmt.Sprintf("%v: "+format, append([]any{time.Since(e.start)}, args...)...))
}

func (e *endpoint) fail(format string, args ...any) {
	e.t.Helper()
	e.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(e.steps, "\n"))
}

// keyOf returns the key of a request in a chain of keys: each is the hash of
// the next (XEP-0124 §15). That of the creation is its newkey.
func keyOf(number int) string { return chainOfKeys()[number] }

var chainOfKeys = sync.OnceValue(func() (keys []string) {
	keys = []string{"seed"}
	for len(keys) < 200 {
		keys = append(keys, hash(keys[len(keys)-1]))
	}
	slices.Reverse(keys)
	return keys
})
