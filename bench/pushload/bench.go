//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mochibosh/mochibosh/bench/usage"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// A bench is one run against one server.
type bench struct {
	server  *server
	dialect dialect
	watched []usage.Server

	subscribers, topics int
	rate                float64
	hold                int // seconds
	warmup, duration    time.Duration

	alive          []*subscriber
	ready, gone    int
	posts, publish *posts
	unacknowledged queue
	measuring      bool
	latencies      []time.Duration
}

// How many begin to subscribe at a time, a millisecond apart when nothing is
// heard of them, so that no server's queue of connections overflows, and how many
// at once; how long all of that may take, and what is under way in the end. How
// many connections have requests.
const (
	burst          = 16
	subscribing    = 64
	requesting     = 64
	subscribeLimit = 3 * time.Minute
	drainLimit     = 20 * time.Second
)

// subscribe brings about n subscribers, who share the topics.
func (b *bench) subscribe(n int, topics []*topic) {
	b.ready, b.gone = 0, 0
	b.alive = make([]*subscriber, 0, n)
	until := time.Now().Add(subscribeLimit)
	b.server.loop.Run(until, func(now time.Time) time.Time {
		for i := 0; i < burst && len(b.alive) < n && len(b.alive)-b.ready < subscribing; i++ {
			s := &subscriber{bench: b, topic: topics[len(b.alive)%len(topics)]}
			s.client = b.dialect.client(s, b.server)
			b.alive = append(b.alive, s)
			s.client.start()
		}
		switch {
		case b.ready == n:
			return time.Time{}
		case len(b.alive) == n:
			return until
		}
		return now.Add(time.Millisecond)
	})
	if b.ready < n {
		fatalf("%d of %d subscribers after %v", b.ready, n, subscribeLimit)
	}
}

func (b *bench) unsubscribe() {
	for _, s := range b.alive {
		s.over = true
		s.client.close()
	}
	b.alive = nil
}

// wait serves the connections for a while.
func (b *bench) wait(d time.Duration) { b.server.loop.Run(time.Now().Add(d), b.unacknowledged.due) }

func newTopics(n int) (topics []*topic) {
	for i := range n {
		topics = append(topics, &topic{name: fmt.Sprint("t", i)})
	}
	return topics
}

// measuring is said when that begins, to whoever wants to look on.
const measuring = "measuring"

// Idle is what subscribers cost to whom nothing is said.
type Idle struct {
	Resident float64 // bytes each
	CPU      float64 // seconds each and minute
	Gone     int     // subscriptions that ended
}

func (b *bench) idle() (r Idle, err error) {
	topics := newTopics(b.topics)
	b.subscribe(10, topics)
	b.unsubscribe()
	b.wait(b.warmup)
	before, err := b.resident()
	if err != nil {
		return r, err
	}
	b.subscribe(b.subscribers, topics)
	b.wait(b.warmup)
	fmt.Println(measuring)
	meter, err := usage.Start(b.watched)
	if err != nil {
		return r, err
	}
	b.wait(b.duration)
	cpu, err := b.cpu(meter)
	if err != nil {
		return r, err
	}
	after, err := b.resident()
	n := float64(b.subscribers)
	r = Idle{Resident: float64(after-before) / n, CPU: cpu / n / b.duration.Minutes(), Gone: b.gone}
	return r, err
}

func (b *bench) resident() (sum int, err error) {
	for _, s := range b.watched {
		n, err := s.Resident()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (b *bench) cpu(meter *usage.Meter) (sum float64, err error) {
	used, err := meter.CPU()
	for _, seconds := range used {
		sum += seconds
	}
	return sum, err
}

// Delivery is what messages cost that are published over HTTP, each to all
// subscribers of its topic.
type Delivery struct {
	Count         int
	CPU           float64 // seconds each, publishing included
	P50, P99      float64 // seconds from when it was to be published
	Lost, Doubled int
	Gone          int     // subscriptions that ended
	Load          float64 // this program's own share of a processor
}

func (b *bench) deliver() (r Delivery, err error) {
	topics := newTopics(b.topics)
	b.subscribe(b.subscribers, topics)
	b.wait(b.warmup) // polls of some protocols are not known to have arrived
	b.talk(topics, b.warmup)

	b.latencies = slices.Grow(b.latencies, int(1.2*b.rate*b.duration.Seconds())*b.subscribers/b.topics)
	b.measuring = true
	fmt.Println(measuring)
	meter, err := usage.Start(b.watched)
	if err != nil {
		return r, err
	}
	b.talk(topics, b.duration)
	cpu, err := b.cpu(meter)
	if err != nil {
		return r, err
	}
	if r.Load, err = meter.Own(); err != nil {
		return r, err
	}
	r.Gone = b.gone
	for _, s := range b.alive {
		s.settle()
		r.Lost += s.lost
		r.Doubled += s.doubled
	}
	if r.Count = len(b.latencies); r.Count == 0 {
		return r, fmt.Errorf("nothing was delivered")
	}
	slices.Sort(b.latencies)
	r.CPU = cpu / float64(r.Count)
	r.P50 = b.latencies[r.Count/2].Seconds()
	r.P99 = b.latencies[r.Count*99/100].Seconds()
	return r, nil
}

// Requests are publications to nobody, each connection's next as soon as the
// last is answered.
type Requests struct {
	PerSec float64
	CPU    float64 // seconds each
	Load   float64 // this program's own share of a processor
}

func (b *bench) requests() (r Requests, err error) {
	count := 0
	path, body := b.dialect.publication("t0", appendMessage(nil, 1, began))
	for range requesting {
		e := &exchange{server: b.server, onFail: func(err error) { fatalf("a request failed: %v", err) }}
		e.onAnswer = func(a wire.Answer) {
			if a.Status/100 != 2 {
				fatalf("a request was refused: %d %s", a.Status, a.Body)
			}
			count++
			e.post(path, body)
		}
		e.post(path, body)
	}
	b.wait(b.warmup)
	count = 0
	fmt.Println(measuring)
	meter, err := usage.Start(b.watched)
	if err != nil {
		return r, err
	}
	b.wait(b.duration)
	cpu, err := b.cpu(meter)
	if err != nil {
		return r, err
	}
	r.PerSec, r.CPU = float64(count)/time.Since(meter.Began).Seconds(), cpu/float64(max(1, count))
	r.Load, err = meter.Own()
	return r, err
}

// talk publishes for a while, then waits for what is under way. In one topic
// messages come regularly; over many, at random times.
func (b *bench) talk(topics []*topic, d time.Duration) {
	at, n := time.Now(), 0
	end := at.Add(d)
	order := rand.Perm(len(topics))
	b.server.loop.Run(end, func(now time.Time) time.Time {
		for !at.After(now) {
			i := order[n%len(order)]
			n++
			t := topics[i]
			t.sent++
			path, body := b.dialect.publication(t.name, appendMessage(nil, t.sent, at))
			b.publish.sendOn(i, path, body)
			interval := time.Duration(float64(time.Second) / b.rate)
			if len(topics) > 1 {
				interval = time.Duration(float64(interval) * rand.ExpFloat64())
			}
			at = at.Add(interval)
		}
		return earlier(at, b.unacknowledged.due(now))
	})
	until := time.Now().Add(drainLimit)
	b.server.loop.Run(until, func(now time.Time) time.Time {
		if !slices.ContainsFunc(b.alive, func(s *subscriber) bool { return s.newest < s.topic.sent && !s.over }) {
			return time.Time{}
		}
		return earlier(until, b.unacknowledged.due(now))
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// delivered is told of each message.
func (b *bench) delivered(at time.Time) {
	if b.measuring {
		b.latencies = append(b.latencies, time.Since(at))
	}
}
