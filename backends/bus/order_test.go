package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
)

// told is any message of the server.
type told struct {
	Type, Topic, Epoch, Code string
	Offset                   uint64
	Recovered                bool
	Data                     json.RawMessage
}

// TestNoGapNoDuplicate has publishers, and subscribers that come, recover,
// and go, all at once. Each subscriber must see each offset once.
func TestNoGapNoDuplicate(t *testing.T) {
	for name, rule := range map[string]TopicRule{
		"with all history":           {History: 100_000, Age: -1, Bytes: -1},
		"with all history, and slow": {History: 100_000, Age: -1, Bytes: -1, Slow: DropOldest},
		"with little history":        {History: 5, Slow: DropOldest},
		"without history":            {History: -1, Slow: DropOldest},
	} {
		t.Run(name, func(t *testing.T) {
			rule.Pattern = "*"
			h := newHouse(t, &Options{Topics: []TopicRule{rule}, MaxPending: 16})
			small := 0 // the default
			if rule.Slow != End {
				small = 1000
			}
			var publishers, subscribers sync.WaitGroup
			for range 4 {
				publishers.Go(func() {
					for range 500 {
						h.publish("t", "0")
					}
				})
			}
			for i := range 8 {
				subscribers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(i), 0))
					at := &Position{} // unknown
					for turn := 0; turn < 10 || at.Offset < 2000; turn++ {
						p := h.joinWith(transport.Params{MaxOutbox: small})
						at = p.follow(*at, rule.History == 100_000, rng.IntN(300))
						p.session.Terminate(nil)
						if t.Failed() {
							return
						}
					}
				})
			}
			publishers.Wait()
			subscribers.Wait()
		})
	}
}

// follow subscribes after a position, and reads some messages or up to the
// 2000th.
func (p *peer) follow(at Position, all bool, n int) *Position {
	since := ""
	if at.Epoch != "" {
		since = fmt.Sprintf(`,"since":{"epoch":%q,"offset":%d}`, at.Epoch, at.Offset)
	}
	cmd := []byte(`{"op":"subscribe","topic":"t"` + since + `}`)
	if _, err := p.session.Push(context.Background(), 0, []transport.Frame{{Data: cmd}}); err != nil {
		p.t.Error(err)
	}
	for started := false; n > 0 && !(started && at.Offset >= 2000); {
		r, err := p.session.Pull(context.Background(), transport.Pull{After: p.after, Wait: 1e10})
		if err != nil || r.End != nil || len(r.Frames) == 0 {
			p.t.Errorf("pull at %v: %v %+v", at, err, r)
			return &at
		}
		p.after = r.Last()
		for _, f := range r.Frames {
			var m told
			if err := json.Unmarshal(f.Data, &m); err != nil {
				p.t.Errorf("%s: %v", f.Data, err)
			}
			ok := true
			switch m.Type {
			case "subscribed":
				ok = !started && (at.Epoch == "" || m.Recovered == (m.Offset == at.Offset)) && (m.Recovered || !all)
				at, started = Position{m.Epoch, m.Offset}, true
			case "dropped":
				ok = started && !all && m.Offset > at.Offset
				at.Offset = m.Offset
			case "message":
				ok = started && m.Offset == at.Offset+1
				at.Offset = m.Offset
				n--
			default:
				ok = false
			}
			if !ok {
				p.t.Errorf("at %v, since %q: %s", at, since, f.Data)
				return &at
			}
		}
	}
	return &at
}

// So many subscribers are told by several goroutines.
func TestOrderForManySubscribers(t *testing.T) {
	t.Run("each gets everything in order", bubble(func(t *testing.T) {
		const messages = 20
		h := newHouse(t, nil)
		sessions := h.subscribeAll(4*enoughToShare+1, `{"op":"subscribe","topic":"t"}`)
		var want []string
		for i := range messages {
			h.publish("t", fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		synctest.Wait()
		for _, s := range sessions {
			r, err := s.Pull(context.Background(), transport.Pull{After: 1})
			var got []string
			for _, f := range r.Frames {
				var m told
				if err := json.Unmarshal(f.Data, &m); err != nil {
					t.Fatal(err)
				}
				got = append(got, string(m.Data))
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}))
}

// TestCallsFromACarrier publishes, and has the client subscribe, in the
// function that a carrier gave to the session.
func TestCallsFromACarrier(t *testing.T) {
	t.Run("do not deadlock", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		p.pull()
		calls := 0
		var answered func(transport.Response)
		answered = func(r transport.Response) {
			if calls++; calls > 5 {
				return
			}
			h.publish("t", fmt.Sprint(calls+1))
			h.bus.Presence(context.Background(), "t")
			p.session.Push(context.Background(), 0, []transport.Frame{{Data: []byte(`{"op":"subscribe","topic":"u"}`)}})
			p.session.PullFunc(transport.Pull{After: r.Last(), Wait: 1e9}, answered)
		}
		if _, err := p.session.PullFunc(transport.Pull{After: p.after, Wait: 1e9}, answered); err != nil {
			t.Fatal(err)
		}
		h.publish("t", "1")
		other := h.join()
		other.send(`{"op":"subscribe","topic":"t","history":100}`)
		other.pull()
		if len(other.frames) < 6 {
			t.Errorf("published: %q", other.frames)
		}
	}))
}
