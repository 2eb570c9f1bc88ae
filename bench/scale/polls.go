//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// The clients of held polls: this process. Each client has a session and a
// goroutine, and shares an HTTP/2 connection with others.

// A crowd is all of them.
type crowd struct {
	url      string
	topic    atomic.Pointer[publication]
	arrived  []time.Duration
	failures chan error
}

// A publication is one message on its way to all.
type publication struct {
	began    time.Time
	unserved atomic.Int64
	served   chan struct{}
}

func (c *crowd) begin() *publication {
	p := &publication{began: time.Now(), served: make(chan struct{})}
	p.unserved.Store(int64(len(c.arrived)))
	c.topic.Store(p)
	return p
}

// wait returns when all have it, or one failed.
func (c *crowd) wait(ctx context.Context, p *publication) error {
	select {
	case <-p.served:
		return nil
	case err := <-c.failures:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%d clients got no message: %w", p.unserved.Load(), ctx.Err())
	}
}

// gather makes the clients, and returns when each has its subscription. They
// go on until the context is done.
func gather(ctx context.Context, url string, clients, connections int) (*crowd, error) {
	c := &crowd{url: url, arrived: make([]time.Duration, clients), failures: make(chan error, clients)}
	p := c.begin() // they get "subscribed"
	for first := range connections {
		connection := oneConnection()
		go func() {
			for i := first; i < clients; i += connections {
				client := &client{crowd: c, index: i, http: connection}
				if err := client.create(ctx); err != nil {
					c.failures <- err
					return
				}
				go client.run(ctx)
			}
		}()
	}
	return c, c.wait(ctx, p)
}

// oneConnection returns a client that has one connection, of HTTP/2 in clear.
func oneConnection() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, MaxConnsPerHost: 1, DisableCompression: true}}
}

type client struct {
	crowd        *crowd
	index        int
	http         *http.Client
	session, key string
	last         uint64
}

// An object is what the server sends: docs/push-v1.md, section 2.
type object struct {
	Session, Key string
	First        uint64
	Messages     []json.RawMessage
}

func (c *client) create(ctx context.Context) error {
	o, err := c.post(ctx, fmt.Appendf(nil, `{"messages":[%s]}`, subscribe(everybody)))
	c.session, c.key = o.Session, o.Key
	return err
}

// run polls, and expects one message in each answer, in order.
func (c *client) run(ctx context.Context) {
	for attach := 1; ; attach++ {
		o, err := c.post(ctx, fmt.Appendf(nil, `{"session":%q,"key":%q,"attach":%d,"ack":%d}`, c.session, c.key, attach, c.last))
		if err == nil && (o.First != c.last+1 || len(o.Messages) != 1) {
			err = fmt.Errorf("%d messages from number %d, after %d", len(o.Messages), o.First, c.last)
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				c.crowd.failures <- err
			}
			return
		}
		c.last = o.First
		p := c.crowd.topic.Load()
		c.crowd.arrived[c.index] = time.Since(p.began)
		if p.unserved.Add(-1) == 0 {
			close(p.served)
		}
	}
}

func (c *client) post(ctx context.Context, body []byte) (o object, err error) {
	r, err := http.NewRequestWithContext(ctx, "POST", c.crowd.url+"/push", bytes.NewReader(body))
	if err != nil {
		return o, err
	}
	r.Header.Set("Content-Type", "application/json")
	if body, err = do(c.http, r); err == nil {
		err = json.Unmarshal(body, &o)
	}
	return o, err
}

// A crowdResult is what one turn of held polls came to.
type crowdResult struct {
	Resident, Heap float64 // bytes per poll, above the server without clients
	Goroutines     float64 // per poll
	Setup          float64 // CPU seconds per client
	Busy           float64 // processors that the clients used during the rounds
	rounds
}

// measureCrowd starts a server, holds polls, so many to a connection, and has
// a number of rounds.
func measureCrowd(ctx context.Context, s settings, dir string, streams int, flags ...string) (r crowdResult, err error) {
	server, err := serve(ctx, dir, s.polls, flags...)
	if err != nil {
		return r, err
	}
	defer server.stop()
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	empty, err := server.vitals(ctx, "?gc")
	if err != nil {
		return r, err
	}
	resident, cpu, n := server.resident(), server.cpu(), float64(s.polls)
	c, err := gather(ctx, server.url, s.polls, (s.polls+streams-1)/streams)
	if err != nil {
		return r, err
	}
	if err := server.held(ctx, s.polls); err != nil {
		return r, err
	}
	full, err := server.vitals(ctx, "?gc")
	if err != nil {
		return r, err
	}
	r = crowdResult{
		Resident:   float64(server.resident()-resident) / n,
		Heap:       float64(full.Heap-empty.Heap) / n,
		Goroutines: float64(full.Goroutines-empty.Goroutines) / n,
		Setup:      (server.cpu() - cpu).Seconds() / n,
	}
	profiled := make(chan error, 1)
	go func() { profiled <- server.profile(ctx, s.profile) }()
	m, own := meter{process: server.process, before: full}, meter{process: self()}
	var elapsed time.Duration
	for range s.rounds {
		m.begin()
		own.begin()
		p := c.begin()
		if err := server.publish(ctx); err != nil {
			return r, err
		}
		if err := c.wait(ctx, p); err != nil {
			return r, err
		}
		latencies := append([]time.Duration(nil), c.arrived...)
		if err := server.held(ctx, s.polls); err != nil {
			return r, err
		}
		m.end()
		own.end()
		elapsed += time.Since(p.began)
		m.latencies(latencies)
	}
	r.Busy = own.cpu.Seconds() / elapsed.Seconds()
	after, err := server.vitals(ctx, "")
	if err != nil {
		return r, err
	}
	r.rounds = m.result(after, s.polls)
	return r, <-profiled
}
