//go:build linux

package main

import (
	"fmt"
	"os"
	"time"
)

// A client is the protocol of a subscriber.
type client interface {
	// start connects and subscribes, and tells the subscriber when that is done.
	start()
	// close ends the session, if the protocol has such, and all connections.
	close()
}

// An acknowledger is a client whose protocol wants to hear what has arrived.
type acknowledger interface{ acknowledge() }

// A topic counts what is published in it.
type topic struct {
	name string
	sent int
}

// A subscriber looks at each message of its topic.
type subscriber struct {
	bench  *bench
	topic  *topic
	client client
	rest   []byte // the beginning of a message

	ready, over   bool
	newest        int // number of a message
	received      int
	acknowledged  int // of those received
	lost, doubled int
}

// subscribed is told by the client once.
func (s *subscriber) subscribed() {
	if !s.ready {
		s.ready = true
		s.bench.ready++
	}
}

// fail is told by the client when it cannot go on.
func (s *subscriber) fail(err error) {
	if s.over {
		return
	}
	s.over = true
	s.client.close()
	if !s.ready {
		fatalf("cannot subscribe: %v", err)
	}
	if s.bench.gone++; s.bench.gone <= 5 {
		fmt.Fprintln(os.Stderr, "pushload: a subscription ended:", err)
	}
}

// whole takes what a server said, with whole messages in it.
func (s *subscriber) whole(data []byte) {
	if rest := eachMessage(data, s.message); rest != nil {
		fatalf("not a message: %q", rest)
	}
}

// piece takes a piece of what a server says.
func (s *subscriber) piece(data []byte) {
	if len(s.rest) > 0 {
		data = append(s.rest, data...)
	}
	s.rest = append(s.rest[:0], eachMessage(data, s.message)...)
}

func (s *subscriber) message(number int, at time.Time) {
	s.received++
	s.bench.delivered(at)
	switch {
	case number <= s.newest:
		s.doubled++
		return
	case number > s.newest+1:
		s.lost += number - s.newest - 1
	}
	s.newest = number
	if s.received == s.acknowledged+1 {
		s.bench.unacknowledged.add(s)
	}
	if s.received-s.acknowledged >= ackCount {
		s.acknowledge()
	}
}

// The JavaScript client acknowledges after so many messages, or this time,
// unless it polls.
const (
	ackCount = 64
	ackDelay = 5 * time.Second
)

func (s *subscriber) acknowledge() {
	s.acknowledged = s.received
	if c, ok := s.client.(acknowledger); ok && !s.over {
		c.acknowledge()
	}
}

// settle counts what did not come as lost.
func (s *subscriber) settle() {
	s.lost += s.topic.sent - s.newest
	s.newest = s.topic.sent
}

// A queue has the subscribers that are to acknowledge, who waits longest first.
type queue struct {
	waiting []wait
}

type wait struct {
	s     *subscriber
	until time.Time
	after int // as many as it had acknowledged then
}

func (q *queue) add(s *subscriber) {
	if _, ok := s.client.(acknowledger); ok {
		q.waiting = append(q.waiting, wait{s, time.Now().Add(ackDelay), s.acknowledged})
	}
}

// due lets those acknowledge whose time has come, unless they have since.
func (q *queue) due(now time.Time) (next time.Time) {
	for len(q.waiting) > 0 {
		w := q.waiting[0]
		if w.until.After(now) {
			return w.until
		}
		q.waiting = q.waiting[1:]
		if w.s.acknowledged == w.after {
			w.s.acknowledge()
		}
	}
	return now.Add(ackDelay)
}
