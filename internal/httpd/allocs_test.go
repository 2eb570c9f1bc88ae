//go:build linux && !race

package httpd_test

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
)

// A message for many costs each of them no more than so many allocations. On
// long-poll and BOSH, the request that asks for the next is in there, which is
// nearly all; on the others, what acknowledging 32 of them takes, and what the
// session needs to keep them until then. The race detector allocates for itself:
// there, this is not built.
func TestDeliveriesAllocateLittle(t *testing.T) {
	for carrier, budget := range map[string]float64{"longpoll": 35, "bosh": 40, "sse": 1.4, "websocket": 0.9} {
		t.Run(carrier, func(t *testing.T) {
			h := newHouse(nil)
			var held atomic.Int64
			addr := serveHouse(t, "httpd", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r)
				held.Add(1)
			}))
			defer h.manager.Shutdown(context.Background())
			a := &crowd{t: t, carrier: carrier, house: h, handled: &held}
			for range 50 {
				c := holdBare(t, carrier, addr)
				defer c.close()
				a.clients = append(a.clients, c)
			}
			a.posts = &bare{t: t, fd: dialBare(t, addr)}
			defer a.posts.close()
			a.round() // pools are filled, buffers have grown
			a.round()
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // and stay
			before, deliveries := mallocs(), 0
			for range 4 {
				deliveries += a.round()
			}
			each := float64(mallocs()-before) / float64(deliveries)
			t.Logf("%.2f allocations for each", each)
			if each > budget {
				t.Errorf("want no more than %g", budget)
			}
		})
	}
}

// A message of a client, with its acknowledgement, costs no more than so many
// allocations, the bus's own included; nobody is subscribed.
func TestMessagesAllocateLittle(t *testing.T) {
	const command = `[{"op":"publish","topic":"u","data":"hello"}]`
	exchanges := map[string]func(c *bare, number []byte){
		"longpoll": func(c *bare, number []byte) {
			c.request("/push", `{"session":"`, c.session, `","key":"`, c.key, `","first":`, string(number), `,"messages":`, command, "}")
		},
		"websocket": func(c *bare, _ []byte) {
			const object = `{"messages":` + command + `}`
			c.text = append(c.text[:0], 0x81, 0x80|byte(len(object)), 0, 0, 0, 0)
			c.text = append(c.text, object...)
			c.sendText()
		},
		"publish": func(c *bare, _ []byte) {
			c.request("/api/publish", `{"topic":"u","data":"hello"}`)
		},
	}
	for carrier, budget := range map[string]float64{"longpoll": 51, "websocket": 36, "publish": 26} {
		t.Run(carrier, func(t *testing.T) {
			h := newHouse(nil)
			addr := serveHouse(t, "httpd", h)
			defer h.manager.Shutdown(context.Background())
			c := holdBare(t, carrier, addr)
			defer c.close()
			if carrier == "longpoll" { // its connection holds a request
				held := c.fd
				defer syscall.Close(held)
				c.fd = dialBare(t, addr)
			}
			number := 1
			exchange := func() {
				var digits [20]byte
				number++
				exchanges[carrier](c, strconv.AppendInt(digits[:0], int64(number), 10))
				acked, published := false, carrier == "longpoll" // the other connection is told
				for !acked || !published {
					got := c.read()
					acked = acked || carrier == "publish" || bytes.Contains(got, ackMember)
					published = published || bytes.Contains(got, offsetMember)
				}
			}
			for range 2000 { // until the topic's history is full
				exchange()
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			// The least of several: how many answers a message takes depends on who
			// is faster, and on a busy machine that varies.
			const messages = 100
			each := math.Inf(1)
			for range 6 {
				before := mallocs()
				for range messages {
					exchange()
				}
				each = min(each, float64(mallocs()-before)/messages)
			}
			t.Logf("%.2f allocations for each", each)
			if each > budget {
				t.Errorf("want no more than %g", budget)
			}
		})
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// A crowd are clients of one carrier that are sent the same.
type crowd struct {
	t       *testing.T
	carrier string
	house   *house
	clients []*bare
	posts   *bare
	handled *atomic.Int64 // requests that a handler has returned from
}

// What tells the server's answers apart.
var (
	message      = []byte("msg-")
	ackMember    = []byte(`{"ack":`)
	offsetMember = []byte(`"offset":`)
)

// round sends a few messages, as many as our client acknowledges together where
// its polls do not.
func (a *crowd) round() (deliveries int) {
	const messages = ackCount
	goroutines := runtime.NumGoroutine()
	for n := range messages {
		before := a.handled.Load()
		a.house.publish(n, "xxxx")
		for _, c := range a.clients {
			for got := c.read(); !bytes.Contains(got, message); got = c.read() {
			}
			c.acked++
			c.again(a.carrier)
		}
		if polls := int64(len(a.clients)); a.carrier == "longpoll" || a.carrier == "bosh" {
			for a.handled.Load() < before+polls || runtime.NumGoroutine() > goroutines {
				runtime.Gosched()
			}
		}
	}
	for _, c := range a.clients {
		a.acknowledge(c)
	}
	return messages * len(a.clients)
}

func (a *crowd) acknowledge(c *bare) {
	var digits [20]byte
	number := strconv.AppendInt(digits[:0], int64(c.acked), 10)
	switch a.carrier {
	case "sse":
		a.posts.request("/push", `{"session":"`, c.session, `","key":"`, c.key, `","ack":`, string(number), "}")
		a.posts.read()
	case "websocket": // and a ping, whose pong tells that it was read
		n := len(`{"ack":}`) + len(number)
		c.text = append(c.text[:0], 0x81, 0x80|byte(n), 0, 0, 0, 0)
		c.text = append(append(append(c.text, `{"ack":`...), number...), '}')
		c.text = append(c.text, 0x89, 0x80, 0, 0, 0, 0)
		c.sendText()
		c.read()
	}
}
