package transport

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// idle is a backend that keeps nothing.
type idle struct{}

func (idle) Open(context.Context, *Stream) (Receiver, error) { return idle{}, nil }
func (idle) Receive([]byte) error                            { return nil }
func (idle) Close(error)                                     {}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// idleSessions makes sessions with one stream and nothing to do.
func idleSessions(t testing.TB, n int) (*Manager, []*Stream) {
	t.Helper()
	m := NewManager(&Options{Backend: idle{}, Budget: &Budget{Bytes: 1 << 30}})
	streams := make([]*Stream, n)
	for i := range streams {
		s, err := m.Create(t.Context(), Params{Protocol: "test", Wait: time.Minute, Requests: 2, Hold: 1})
		if err != nil {
			t.Fatal(err)
		}
		if streams[i], err = s.Open(t.Context(), "", ""); err != nil {
			t.Fatal(err)
		}
	}
	return m, streams
}

func shutdown(t testing.TB, m *Manager) {
	if err := m.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// An idle session costs a record and a timer, its place in the registry
// included, and no goroutine.
func TestIdleSessionsAreCheap(t *testing.T) {
	if underRace {
		t.Skip("the race detector takes memory of its own")
	}
	const sessions, budget = 20_000, 1024
	goroutines, before := runtime.NumGoroutine(), heapInUse()
	m, streams := idleSessions(t, sessions)
	bytes := int(heapInUse()-before) / sessions
	t.Logf("%d bytes for each idle session", bytes)
	if bytes > budget {
		t.Errorf("want no more than %d", budget)
	}
	if more := runtime.NumGoroutine() - goroutines; more > 0 {
		t.Errorf("%d goroutines for %d sessions that do nothing", more, sessions)
	}

	// The same once each has talked: queues give back what they needed.
	for _, st := range streams {
		s := st.Session()
		if _, err := s.Push(t.Context(), 1, frames("hello")); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := st.TrySend(nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Ack(100); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		runtime.Gosched() // receivers are at it
	}
	bytes = int(heapInUse()-before) / sessions
	t.Logf("%d bytes after each has talked", bytes)
	if bytes > budget {
		t.Errorf("want no more than %d", budget)
	}
	runtime.KeepAlive(streams)
	shutdown(t, m)
}
