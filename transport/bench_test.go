package transport

import (
	"context"
	"testing"
	"time"
)

const subscribers = 10_000

// BenchmarkPublish sends one shared slice to every session.
func BenchmarkPublish(b *testing.B) {
	data := []byte("the same for everybody")
	publish := func(b *testing.B, streams []*Stream) {
		for _, st := range streams {
			if err := st.TrySend(data); err != nil {
				b.Fatal(err)
			}
		}
	}
	perSubscriber := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subscribers), "ns/subscriber")
	}
	// Each has a pull open, writes what comes, and pulls again: a stream whose
	// client acknowledges at once.
	b.Run("to open pulls", func(b *testing.B) {
		m, streams := idleSessions(b, subscribers)
		defer shutdown(b, m)
		for _, st := range streams {
			s := st.Session()
			var again func(r Response)
			again = func(r Response) {
				if r.End == nil {
					s.PullFunc(Pull{After: r.Last(), Wait: time.Minute, Again: true}, again)
					s.Ack(r.Last())
				}
			}
			s.PullFunc(Pull{Wait: time.Minute, Again: true}, again)
		}
		b.ReportAllocs()
		for b.Loop() {
			publish(b, streams)
		}
		perSubscriber(b)
	})
	// Nothing is open: the frames wait. They are acknowledged between the
	// iterations, off the clock.
	b.Run("to queues", func(b *testing.B) {
		m, streams := idleSessions(b, subscribers)
		defer shutdown(b, m)
		b.ReportAllocs()
		for n := uint64(1); b.Loop(); n++ {
			publish(b, streams)
			b.StopTimer()
			for _, st := range streams {
				if err := st.Session().Ack(n); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
		perSubscriber(b)
	})
}

func TestTrySendAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	m, streams := idleSessions(t, 1)
	defer shutdown(t, m)
	st, s := streams[0], streams[0].Session()
	data, last := []byte("x"), uint64(0)
	allocs := testing.AllocsPerRun(1000, func() {
		st.TrySend(data)
		last++
		s.Ack(last)
	})
	if allocs != 0 {
		t.Errorf("TrySend and Ack allocate %v times", allocs)
	}
}

// BenchmarkExchange is one round trip of a numbered request: it arrives with a
// frame, and is answered with one.
func BenchmarkExchange(b *testing.B) {
	m, streams := idleSessions(b, 1)
	defer shutdown(b, m)
	st, s := streams[0], streams[0].Session()
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		if err := st.TrySend([]byte("down")); err != nil {
			b.Fatal(err)
		}
		r := Request{Seq: seq, AckSeq: seq - 1, Frames: []Frame{{Data: []byte("up")}}}
		if _, err := s.Exchange(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPushAndPull is the same for a client that pushes and pulls.
func BenchmarkPushAndPull(b *testing.B) {
	m, streams := idleSessions(b, 1)
	defer shutdown(b, m)
	st, s := streams[0], streams[0].Session()
	b.ReportAllocs()
	for n := uint64(1); b.Loop(); n++ {
		if err := st.TrySend([]byte("down")); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Push(context.Background(), n, []Frame{{Data: []byte("up")}}); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Pull(context.Background(), Pull{Attach: n, After: n - 1, Wait: time.Minute}); err != nil {
			b.Fatal(err)
		}
	}
}
