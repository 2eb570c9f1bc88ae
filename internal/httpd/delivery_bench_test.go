//go:build linux

package httpd_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These benchmarks are about the way of a message to the clients that wait for
// it. The server's time is in cpu-µs/delivery; latencies are from before the
// message is published until its client has read it, so that the clients'
// work, which is on the same processors, is in them.

// delivered are carriers, a WebSocket whose client acknowledges each message,
// and the floor.
var delivered = append(slices.Clone(carriers),
	carrier{"websocket-acks", func(t testing.TB, addr, topic string) client {
		return &socket{pusher: joinPush(t, addr, topic), acknowledger: acknowledger{eager: true}}
	}},
	carrier{"floor", joinFloor})

// Time for each delivery to one of 1,000 clients, who ask again where they
// have to.
func BenchmarkFanOut(b *testing.B) {
	for _, c := range delivered {
		for _, kind := range kinds {
			b.Run(c.name+"/"+kind, func(b *testing.B) { fanOut(b, c, kind, 1000) })
		}
	}
}

// The same with ten times as many.
func BenchmarkFanOutToMany(b *testing.B) {
	for _, c := range delivered {
		b.Run(c.name, func(b *testing.B) { fanOut(b, c, "httpd", 9500) })
	}
}

func fanOut(b *testing.B, with carrier, kind string, clients int) {
	addr := startBench(b, kind)
	a := gather(b, with, addr, clients, func(int) string { return "t" })
	a.measure(func() (deliveries int) {
		for b.Loop() {
			a.published[0].Store(time.Now().UnixNano())
			ask(b, addr, fmt.Sprint("/fanout?", deliveries))
			deliveries += clients
			a.await(deliveries)
			time.Sleep(20 * time.Millisecond)
		}
		return deliveries
	}, kind)
}

// Time for each delivery to one of 1,000 clients, each with a topic of its own,
// at 2,000 messages a second; publishing is in it.
func BenchmarkSingle(b *testing.B) {
	const clients, interval = 1000, time.Second / 2000
	for _, c := range delivered {
		if c.name == "bosh" || c.name == "floor" {
			continue // have no topics
		}
		for _, kind := range kinds {
			b.Run(c.name+"/"+kind, func(b *testing.B) {
				addr := startBench(b, kind)
				a := gather(b, c, addr, clients, func(i int) string { return fmt.Sprint("t", i) })
				var publishers [4]wire
				for i := range publishers {
					publishers[i] = wire{t: a.until, addr: addr}
					publishers[i].open()
					go func() {
						for {
							publishers[i].answer()
						}
					}()
				}
				a.measure(func() (deliveries int) {
					due := time.Now()
					for b.Loop() {
						if a.published[deliveries%clients].Swap(time.Now().UnixNano()) != 0 {
							b.Fatal("a message is not there after half a second")
						}
						body := fmt.Sprintf(`{"topic":"t%d","data":"msg-%d-%s"}`, deliveries%clients, deliveries, strings.Repeat("x", 90))
						publishers[deliveries%len(publishers)].post("/api/publish", body)
						deliveries++
						a.await(len(a.took) + len(a.got))
						due = due.Add(interval)
						time.Sleep(time.Until(due))
					}
					a.await(deliveries)
					return deliveries
				}, kind)
			})
		}
	}
}

// An audience are clients that wait for messages.
type audience struct {
	b         *testing.B
	until     *until
	with      carrier
	addr      string
	published []atomic.Int64 // when, by client; one for all if there is but one topic
	got       chan time.Duration
	took      []time.Duration
}

// gather has clients join, each a topic, and wait.
func gather(b *testing.B, with carrier, addr string, clients int, topic func(i int) string) *audience {
	a := &audience{b: b, until: &until{TB: b}, with: with, addr: addr, got: make(chan time.Duration, clients)}
	a.published = make([]atomic.Int64, clients)
	one := topic(0) == topic(1)
	var ready sync.WaitGroup
	ready.Add(clients)
	few := make(chan bool, 50)
	for i := range clients {
		published := &a.published[0]
		if !one {
			published = &a.published[i]
		}
		go func() {
			few <- true
			c := with.join(a.until, addr, topic(i))
			c.hold()
			if with.greets() {
				c.next()
			}
			<-few
			ready.Done()
			for {
				numbers := numberOf.FindAllSubmatchIndex(c.next(), -1)
				at := published.Load()
				if len(numbers) > 0 && !one {
					published.Store(0)
				}
				c.hold()
				for range numbers {
					a.got <- time.Duration(time.Now().UnixNano() - at)
				}
			}
		}()
	}
	ready.Wait()
	time.Sleep(200 * time.Millisecond)
	return a
}

// await returns when so many messages are there, all in all.
func (a *audience) await(messages int) {
	for len(a.took) < messages {
		a.took = append(a.took, <-a.got)
	}
}

// measure reports what so many deliveries cost.
func (a *audience) measure(deliver func() (deliveries int), kind string) {
	before := ask(a.b, a.addr, "/usage")
	if out := os.Getenv("HTTPD_BENCH_PROFILE"); out != "" {
		go profile(a.addr, out+"."+a.with.name+"."+strings.ReplaceAll(kind, "/", ""))
	}
	deliveries := deliver()
	after := ask(a.b, a.addr, "/usage")
	a.until.over.Store(true)
	slices.Sort(a.took)
	a.b.ReportMetric((after.CPU-before.CPU)/float64(deliveries)*1e6, "cpu-µs/delivery")
	a.b.ReportMetric(a.took[len(a.took)/2].Seconds()*1e3, "p50-ms")
	a.b.ReportMetric(a.took[len(a.took)*99/100].Seconds()*1e3, "p99-ms")
}

// The floor is what a program does that has nothing but sockets: one write for
// each client.
type floor struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (f *floor) join(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, c)
}

func (f *floor) publish(n int, more string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := fmt.Sprintf(`{"messages":["msg-%d-%s"]}`, n, more)
	message := append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
	for _, c := range f.conns {
		c.Write(message)
	}
}

type floorClient struct {
	wire
	message [512]byte
}

func joinFloor(t testing.TB, addr, _ string) client {
	c := &floorClient{wire: wire{t: t, addr: addr}}
	c.open()
	io.WriteString(c, "GET /floor HTTP/1.1\r\nHost: a\r\n\r\n")
	return c
}

func (c *floorClient) hold() {}

func (c *floorClient) next() []byte {
	_, err := io.ReadFull(c.in, c.message[:2])
	n := binary.BigEndian.Uint16(c.message[:])
	if err == nil {
		_, err = io.ReadFull(c.in, c.message[:n])
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return c.message[:n]
}

// until fails a test until that is over; later, the server is gone.
type until struct {
	testing.TB
	over atomic.Bool
}

func (u *until) Fatal(args ...any) {
	if u.over.Load() {
		runtime.Goexit()
	}
	u.TB.Fatal(args...)
}

func (u *until) Error(args ...any) { u.Fatal(args...) }

func profile(addr, out string) {
	resp, err := http.Get("http://" + addr + "/debug/pprof/profile?seconds=3")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	f, _ := os.Create(out)
	io.Copy(f, resp.Body)
	f.Close()
}
