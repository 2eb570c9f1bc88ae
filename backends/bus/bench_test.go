package bus

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func (h *house) subscribeAll(n int, cmd string) (sessions []*transport.Session) {
	for range n {
		p := h.join()
		if _, err := p.session.Push(context.Background(), 0, []transport.Frame{{Data: []byte(cmd)}}); err != nil {
			h.t.Fatal(err)
		}
		r, err := p.session.Pull(context.Background(), transport.Pull{Wait: time.Minute})
		if err != nil || len(r.Frames) != 1 {
			h.t.Fatal(r, err)
		}
		p.session.Ack(r.Last())
		sessions = append(sessions, p.session)
	}
	return sessions
}

// BenchmarkPublish10000 publishes to 10,000 sessions without sockets. It ends
// when all of them were served.
func BenchmarkPublish10000(b *testing.B) {
	const subscribers = 10_000
	data := []byte(`{"text":"a message of about a hundred bytes, as they are in chats and in tickers of all kinds"}`)
	run := func(b *testing.B, h *house) {
		served := make(chan bool, 1) // by the last subscriber
		pullOn(h.subscribeAll(1, `{"op":"subscribe","topic":"t"}`)[0], func() { served <- true })
		ackers := h.ackers()
		mallocs := uint64(0)
		var before, after runtime.MemStats
		b.ResetTimer()
		for range b.N {
			b.StopTimer()
			runtime.ReadMemStats(&before)
			b.StartTimer()
			if _, err := h.bus.Publish(context.Background(), "t", data, nil); err != nil {
				b.Fatal(err)
			}
			<-served
			b.StopTimer()
			runtime.ReadMemStats(&after)
			mallocs += after.Mallocs - before.Mallocs
			for _, a := range ackers {
				a.ack()
			}
			b.StartTimer()
		}
		b.StopTimer()
		all := float64(b.N) * subscribers
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/all, "ns/subscriber")
		b.ReportMetric(float64(mallocs)/all, "allocs/subscriber")
	}
	b.Run("pulling", func(b *testing.B) {
		h := newHouse(b, nil)
		for _, s := range h.subscribeAll(subscribers, `{"op":"subscribe","topic":"t"}`) {
			pullOn(s, func() {})
		}
		run(b, h)
	})
	b.Run("queued", func(b *testing.B) {
		h := newHouse(b, nil)
		h.subscribeAll(subscribers, `{"op":"subscribe","topic":"t"}`)
		run(b, h)
	})
}

// pullOn pulls like a connection that stays open, and tells of each answer.
func pullOn(s *transport.Session, tell func()) {
	var answered func(transport.Response)
	answered = func(r transport.Response) {
		if r.End == nil && !r.Replaced {
			s.PullFunc(transport.Pull{Attach: 1, After: r.Last(), Wait: time.Minute, Again: true}, answered)
			tell()
		}
	}
	s.PullFunc(transport.Pull{Attach: 1, After: 1, Wait: time.Minute}, answered)
}

// acker is a client of topic "t" that acknowledges one frame after the other.
type acker struct {
	session *transport.Session
	last    uint64
}

func (h *house) ackers() (all []*acker) {
	for _, s := range h.bus.topics["t"].subs {
		all = append(all, &acker{s.client.stream.Session(), 1})
	}
	return all
}

func (a *acker) ack() {
	a.last++
	a.session.Ack(a.last)
}

// TestMemoryPerSubscription bounds what an idle subscription costs on top of
// its session and stream.
func TestMemoryPerSubscription(t *testing.T) {
	const subscribers, budget = 5000, 300
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	cost := func(cmd string) int {
		h := newHouse(t, nil)
		before := heap()
		h.subscribeAll(subscribers, cmd)
		after := heap()
		runtime.KeepAlive(h)
		return (after - before) / subscribers
	}
	none := cost(`{"op":"publish","topic":"t","data":1}`)
	one := cost(`{"op":"subscribe","topic":"t"}`)
	t.Logf("bytes: session %d, with a subscription %d", none, one)
	if one-none > budget {
		t.Errorf("a subscription costs %d bytes, budget %d", one-none, budget)
	}
}
