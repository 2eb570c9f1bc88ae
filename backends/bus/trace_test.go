package bus

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
)

// A diary notes what a Trace is told.
type diary struct {
	mu    sync.Mutex
	lines map[string]uint64
}

func (d *diary) add(n uint64, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines[fmt.Sprintf(format, args...)] += n
}

func (d *diary) trace() *Trace {
	d.lines = make(map[string]uint64)
	return &Trace{
		Published: func(bytes int, duplicate bool) { d.add(uint64(bytes), "published %v", duplicate) },
		Delivered: func(messages int) { d.add(uint64(messages), "delivered") },
		Slow:      func(p Policy) { d.add(1, "slow %v", p) },
		Dropped:   func(p Policy, messages uint64) { d.add(messages, "dropped %v", p) },
		Refused:   func(op string, code Code) { d.add(1, "refused %s %s", op, code) },
		Limited:   func(option string) { d.add(1, "limited %s", option) },
	}
}

func (d *diary) want(t *testing.T, what string, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var got []string
	for line, n := range d.lines {
		got = append(got, fmt.Sprintf("%s: %d", line, n))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: told\n%q, want\n%q", what, got, want)
	}
	clear(d.lines)
}

func TestTrace(t *testing.T) {
	t.Run("publications and deliveries", bubble(func(t *testing.T) {
		var d diary
		h := newHouse(t, &Options{Trace: d.trace()})
		p, q := h.join(), h.join()
		h.publishUpTo(1, 2)
		d.want(t, "nobody there", "published false: 2")
		p.send(`{"op":"subscribe","topic":"t","history":1,"presence":1}`)
		q.send(`{"op":"subscribe","topic":"t"}`)
		d.want(t, "from history", "delivered: 1")
		p.send(`{"op":"publish","topic":"t","data":333,"id":"x"}`, `{"op":"publish","topic":"t","data":333,"id":"x"}`)
		d.want(t, "live, and once", "delivered: 2", "published false: 3", "published true: 3")
	}))
	t.Run("refusals and limits", bubble(func(t *testing.T) {
		var d diary
		h := newHouse(t, &Options{Trace: d.trace(), MaxMessage: 2, MaxTopics: 1, MaxTopicsPerSession: 1, MaxInfo: 1, MaxHistoryBytes: 1})
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`, `{"op":"subscribe","topic":"u"}`, `{"op":"subscribe","topic":"t","presence":10}`,
			`{"op":"publish","topic":"u","data":1}`, `{"op":"publish","topic":"t","data":100}`, `{"op":"dance"}`, `{"op":"publish","topic":"t","data":1}`)
		d.want(t, "each once", "delivered: 1",
			"limited MaxHistoryBytes: 1", "limited MaxInfo: 1", "limited MaxMessage: 1", "limited MaxTopics: 1", "limited MaxTopicsPerSession: 1",
			"published false: 1",
			"refused other bad-request: 1", "refused publish too-big: 1", "refused publish too-many-topics: 1",
			"refused subscribe too-big: 1", "refused subscribe too-many-topics: 1")
	}))
	for _, tt := range []struct {
		policy Policy
		want   []string
	}{
		{End, []string{"delivered: 2", "published false: 9", "slow end: 1"}},
		{DropOldest, []string{"delivered: 5", "dropped drop-oldest: 4", "published false: 9", "slow drop-oldest: 1"}},
	} {
		t.Run("a slow subscriber, "+tt.policy.String(), bubble(func(t *testing.T) {
			var d diary
			h := newHouse(t, &Options{Trace: d.trace(), Topics: []TopicRule{{Pattern: "t", Slow: tt.policy, History: 2}}})
			p := h.joinWith(narrow)
			p.send(`{"op":"subscribe","topic":"t"}`)
			p.want("subscribed", subscribed(0, true))
			h.publishUpTo(1, 9)
			p.pull()
			d.want(t, "told", tt.want...)
		}))
	}
}

func TestStats(t *testing.T) {
	t.Run("numbers and pages", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p, q := h.join(), h.join()
		p.send(`{"op":"subscribe","topic":"a","presence":1}`, `{"op":"subscribe","topic":"b"}`, `{"op":"subscribe","topic":"c"}`)
		q.send(`{"op":"subscribe","topic":"b"}`)
		h.publish("b", "1")
		synctest.Wait()
		if got, want := h.bus.Stats(), (Stats{Topics: 3, Subscriptions: 4}); got != want {
			t.Errorf("%+v", got)
		}
		if a, b, none := h.bus.Subscribers("a"), h.bus.Subscribers("b"), h.bus.Subscribers("x"); a != 1 || b != 2 || none != 0 {
			t.Errorf("%d, %d and %d subscribers", a, b, none)
		}
		m := h.bus.engine.(*Memory).Stats()
		if m.HistoryBytes == 0 || m.HistoryBytes != h.bus.engine.(*Memory).Bytes() || m.Topics != 3 || m.Members != 1 || m.Messages != 1 {
			t.Errorf("%+v", m)
		}
		page, more := h.bus.Topics("", 2)
		if len(page) != 2 || !more || page[0].Topic != "a" || page[1].Topic != "b" || page[1].Subscribers != 2 || page[1].Offset != 1 {
			t.Errorf("%+v %v", page, more)
		}
		if page, more = h.bus.Topics("b", 2); len(page) != 1 || more || page[0].Topic != "c" {
			t.Errorf("%+v %v", page, more)
		}
	}))
	t.Run("who is slow", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		h.publishUpTo(1, 9)
		slow, more := h.bus.Slow(1)
		if len(slow) != 1 || more || slow[0].Topic != "t" || slow[0].Session != p.session.LogID() || slow[0].Missing == 0 || slow[0].Missing > 9 {
			t.Errorf("%+v %v", slow, more)
		}
		if n := h.bus.Stats().Slow; n != 1 {
			t.Errorf("%d are slow", n)
		}
		if slow, more = h.bus.Slow(0); len(slow) != 0 || !more {
			t.Errorf("%+v %v", slow, more)
		}
		p.want("all", numbered(1, 9)...)
		if slow, _ = h.bus.Slow(1); len(slow) != 0 || h.bus.Stats().Slow != 0 {
			t.Errorf("caught up: %+v", slow)
		}
		p.session.Terminate(&transport.Termination{Condition: transport.Normal})
	}))
}
