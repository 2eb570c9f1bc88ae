//go:build linux && !race

package httpd_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// A client that waits costs its session and its subscription, a record for its
// connection, and no goroutine. Clients are bare descriptors here, so that all
// that is counted is the server's; what its heap needs for itself comes on top.
func TestWaitingClientsAreCheap(t *testing.T) {
	const clients = 1000
	for carrier, budget := range map[string]int{"longpoll": 2200, "bosh": 3700, "sse": 2600, "websocket": 4100} {
		t.Run(carrier, func(t *testing.T) {
			h := newHouse(nil)
			addr := serveHouse(t, "httpd", h)
			defer h.manager.Shutdown(context.Background())
			held := make([]int, clients)
			join := func(i int) { held[i] = holdBare(t, carrier, addr).fd }
			join(0) // buffers are there now
			before, goroutines := heap(), runtime.NumGoroutine()
			for i := range held[1:] {
				join(i + 1)
			}
			defer func() {
				for _, fd := range held {
					syscall.Close(fd)
				}
			}()
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			if n := runtime.NumGoroutine() - goroutines; n > 0 {
				t.Errorf("%d goroutines", n)
			}
			each := int(heap()-before) / (clients - 1)
			t.Logf("%d bytes for each", each)
			if each > budget {
				t.Errorf("want no more than %d", budget)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
