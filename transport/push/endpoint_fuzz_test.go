package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/memnet"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// FuzzEndpoint plays legal and illegal objects to all carriers of a session,
// lets connections break, time pass, the backend speak and leave, and compares
// every answer, its time, and what the backend got, with the [model]. At the end
// the session is over, and nothing of it is left.
//
// The first byte says whether connections can be parked; then each pair is a
// step and its argument.
func FuzzEndpoint(f *testing.F) {
	const post, ahead, again, poll, old, odd, ack, stream, socket, tell, cut, wait, say, leave, end = 0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 8
	f.Add([]byte{0, post, 1, poll, 0, say, 1, again, 1, poll, 0, wait, 4, poll, 2, wait, 5, end, 255})
	f.Add([]byte{1, stream, 0, say, 2, ack, 0, ahead, 1, post, 0, ahead, 5, stream, 1, say, 0, wait, 4, cut, 0, wait, 7})
	f.Add([]byte{0, socket, 0, tell, 1, say, 0, tell, 8, socket, 5, wait, 4, poll, 0, say, 1, leave, 254, old, 1})
	f.Add([]byte{1, poll, 0, stream, 0, old, 0, say, 1, old, 1, old, 2, odd, 3, odd, 1, odd, 2, socket, 0, cut, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 120 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			e := newEndpoint(t, len(script) > 0 && script[0]&1 != 0)
			defer e.close()
			e.play(script)
		})
	})
}

// An endpoint is the real one, and what is known of it.
type endpoint struct {
	t            *testing.T
	start        time.Time
	parks        bool
	manager      *transport.Manager
	polls        http.Handler
	streams      http.Handler
	sockets      http.Handler
	network      *memnet.Listener // of sockets; nil: there were none
	server       *http.Server
	backend      *recorder
	session, key string
	model        *model
	conns        []*conn // not over, or not compared yet
	steps        []string
}

func newEndpoint(t *testing.T, parks bool) *endpoint {
	m := &model{
		wait: 10 * time.Second, ping: 8 * time.Second, inactivity: 30 * time.Second, window: 4,
		next: 1, early: make(map[uint64]string), silent: true,
	}
	opts := &push.Options{Wait: m.wait, Ping: m.ping, Inactivity: m.inactivity, Window: int(m.window)}
	e := &endpoint{t: t, start: time.Now(), parks: parks, backend: &recorder{}, model: m}
	e.manager = transport.NewManager(&transport.Options{Backend: e.backend})
	e.polls, e.streams = longpoll.NewHandler(e.manager, opts), sse.NewHandler(e.manager, opts)
	e.sockets = websocket.NewHandler(e.manager, &websocket.Options{Push: opts})
	created := e.fly(e.polls, "POST", "/push", `{}`)
	synctest.Wait()
	var o struct{ Session, Key string }
	if err := json.Unmarshal([]byte(created.Body()), &o); err != nil || o.Key == "" {
		t.Fatalf("no session: %v in %s", err, created.Body())
	}
	e.session, e.key = o.Session, o.Key
	return e
}

func (e *endpoint) close() {
	for _, c := range e.conns {
		e.breakOff(c)
	}
	if e.server != nil {
		e.server.Close()
		time.Sleep(time.Second) // net/http lingers on connections that it closes
	}
}

func (e *endpoint) play(script []byte) {
	for script = script[min(1, len(script)):]; len(script) > 1; script = script[2:] {
		e.step(script[0]%16, uint64(script[1]))
		e.compare()
	}
	for len(e.conns) > 0 {
		e.cut(e.conns[0])
		e.compare()
	}
	e.pass(2 * time.Minute) // longer than any wait and inactivity
	if s := e.manager.Stats(); s.Sessions+s.Ended > 0 {
		e.fail("left at the end: %+v", s)
	}
}

// step does one thing. What ends a session is rare, so that there is one.
func (e *endpoint) step(what byte, arg uint64) {
	m, rare := e.model, arg >= 224
	switch what {
	default: // the next messages
		e.post(object{first: m.next, messages: messages(m.next, 1+arg%3), ack: m.base})
	case 3: // some that are early, or outside the window
		n := m.next + 1 + arg%6
		e.post(object{first: n, messages: messages(n, arg/8%3)})
	case 4: // some again
		n := m.next - min(m.next-1, arg%8)
		e.post(object{first: n, messages: messages(n, arg/8%6)})
	case 5: // a poll, perhaps with messages
		o := object{attach: m.attach + 1 + arg%2, ack: e.cursor(arg / 2)}
		if arg&64 != 0 {
			o.first, o.messages = m.next, messages(m.next, 1)
		}
		if arg&32 != 0 {
			wait := time.Duration(arg%4) * 4 * time.Second
			o.wait = &wait
		}
		e.poll(o)
	case 6: // a copy of the newest poll, or of an older one
		e.poll(object{attach: max(1, m.attach-min(m.attach, arg%3)), ack: e.cursor(arg / 4)})
	case 7:
		e.odd(arg)
	case 8: // an acknowledgement, or the end
		e.post(object{ack: e.cursor(arg), end: arg >= 248})
	case 9: // a stream, by ticket or with headers
		e.stream(object{attach: m.attach + min(1, arg%8), ack: e.cursor(arg / 8)}, arg&1 == 0)
	case 10: // a socket, perhaps with messages
		o := object{attach: m.attach + min(1, (arg+1)%8), ack: e.cursor(arg / 8)}
		if arg&4 != 0 {
			o.messages = messages(m.next, 1+arg%2)
		}
		e.dial(o)
	case 11: // what a socket says
		for _, c := range e.conns {
			if c.kind == "socket" {
				e.tell(c, arg)
				return
			}
		}
	case 12: // a connection breaks
		if len(e.conns) > 0 {
			e.cut(e.conns[arg%uint64(len(e.conns))])
		}
	case 13: // time passes
		e.pass([]time.Duration{
			time.Millisecond, time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 20 * time.Second,
			29 * time.Second, 30 * time.Second,
		}[arg%8])
	case 14: // the backend speaks
		all := messages(1001+m.last(), 1+arg%3)
		e.logf("the backend sends %s", all)
		e.backend.stream.TrySend(bytes.Fields([]byte(strings.Join(all, " ")))...)
		m.send(all...)
	case 15: // the backend leaves
		if rare {
			all := []transport.Condition{transport.Normal, transport.BackendError, transport.Shutdown}
			t := &transport.Termination{Condition: all[arg%3]}
			e.logf("the backend leaves: %s", t.Condition)
			e.backend.stream.Close(t)
			m.terminate(t)
		}
	}
}

// cursor is an acknowledgement: mostly of all, sometimes of less, of what is
// released, or of what was never sent.
func (e *endpoint) cursor(arg uint64) uint64 {
	last, base := e.model.last(), e.model.base
	return []uint64{last, base, (last + base) / 2, last, base, last, base - min(base, 1), last + arg/16%2}[arg%8]
}

// messages are those of the client with these numbers.
func messages(first, n uint64) (all []string) {
	for i := range n {
		all = append(all, strconv.FormatUint(first+i, 10))
	}
	return all
}

// odd plays what is no object of the session.
func (e *endpoint) odd(arg uint64) {
	refused := [][2]string{
		{"bad-request", ``}, {"bad-request", `[]`}, {"bad-request", `{"session":7}`}, {"bad-request", `{"first":-1}`},
		{"forbidden", fmt.Sprintf(`{"session":%q,"key":"wrong","attach":99}`, e.session)},
		{"forbidden", fmt.Sprintf(`{"session":%q,"end":true}`, e.session)},
		{"gone", fmt.Sprintf(`{"session":"other","key":%q,"attach":99}`, e.key)},
		{"bad-request", e.json(object{messages: messages(e.model.next, 1)})},
		{"bad-request", `{"session":"` + e.session + `","key":"` + e.key + `","attach":9007199254740992}`},
	}[arg%9]
	want := refusal(refused[0])
	if refused[0] != "gone" && strings.Contains(refused[1], e.session) && arg%9 != 8 && e.model.forgotten() {
		want = refusal("gone")
	}
	e.logf("odd: %s", refused[1])
	e.expect(e.fly(e.polls, "POST", "/push", refused[1]), want)
}

// ---- time, and what is seen

// pass lets time pass, from one moment at which something happens to the next.
func (e *endpoint) pass(d time.Duration) {
	until := time.Since(e.start) + d
	e.logf("%v later", d)
	for at, ok := e.model.due(); ok && at <= until; at, ok = e.model.due() {
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

// compare looks at what was said on every connection, and at what the backend
// has.
func (e *endpoint) compare() {
	synctest.Wait()
	want := e.model.delivered
	if e.model.end != nil {
		want = append(slices.Clone(want), "closed")
	}
	if got := e.backend.received(); !slices.Equal(got, want) {
		e.fail("the backend got %q\nwant %q", got, want)
	}
	e.conns = slices.DeleteFunc(e.conns, func(c *conn) bool {
		if got, over := c.said(); !slices.Equal(got, c.want) || over != c.over {
			e.fail("%s: got %q, over: %v\nwant %q, %v", c.name, got, over, c.want, c.over)
		}
		return c.over
	})
}

func (e *endpoint) logf(format string, args ...any) {
	e.steps = append(e.steps, fmt.Sprintf("%v: "+format, append([]any{time.Since(e.start)}, args...)...))
}

func (e *endpoint) fail(format string, args ...any) {
	e.t.Helper()
	e.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(e.steps, "\n"))
}

// recorder is a backend that keeps what it gets.
type recorder struct {
	stream *transport.Stream
	mu     sync.Mutex
	got    []string
}

func (b *recorder) Open(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	b.stream = st
	return b, nil
}

func (b *recorder) Receive(p []byte) error {
	b.take(string(p))
	return nil
}

func (b *recorder) Close(error) { b.take("closed") }

func (b *recorder) take(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, what)
}

func (b *recorder) received() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}
