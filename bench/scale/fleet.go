//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/bench/vitals"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// everybody is the topic of all, and message what is published there.
const (
	everybody = "everybody"
	message   = `{"text":"a message of about a hundred bytes, as they are in chats and in tickers of all kinds"}`
)

func subscribe(topic string) json.RawMessage {
	return fmt.Appendf(nil, `{"op":"subscribe","topic":%q}`, topic)
}

// A fleet is many sessions in one process, of clients in the same process:
// there are no sockets, only calls. What an answer sets off at the client is
// done by other goroutines than the one that gave it, as it would be by
// clients elsewhere.
type fleet struct {
	subscribers []subscriber
	again       chan *subscriber // those that were answered
	phase       atomic.Pointer[phase]
	faults      atomic.Int64
}

// A subscriber is one client: a session, and one topic.
type subscriber struct {
	fleet   *fleet
	ask     func() // to be called again after each answer
	attach  uint64
	last    uint64        // number of the last message
	arrived time.Duration // of it, since the phase began
}

// A phase is over when each subscriber got one message and has asked again.
type phase struct {
	began             time.Time
	served, asked     chan struct{}
	unserved, unasked atomic.Int64
}

func (f *fleet) begin() *phase {
	p := &phase{began: time.Now(), served: make(chan struct{}), asked: make(chan struct{})}
	p.unserved.Store(int64(len(f.subscribers)))
	p.unasked.Store(int64(len(f.subscribers)))
	f.phase.Store(p)
	return p
}

// wait returns when the phase is over, or with an error when it seems it will
// never be.
func (f *fleet) wait(p *phase) error {
	limit := time.After(10 * time.Minute)
	for _, done := range []chan struct{}{p.served, p.asked} {
		select {
		case <-done:
		case <-limit:
			return fmt.Errorf("%d subscribers got no message, %d did not ask again", p.unserved.Load(), p.unasked.Load())
		}
	}
	if n := f.faults.Load(); n > 0 {
		return fmt.Errorf("%d answers were not the ones expected", n)
	}
	return nil
}

// answered notes a message; it is called by whoever publishes.
func (s *subscriber) answered(first uint64, messages int) {
	p := s.fleet.phase.Load()
	if first != s.last+1 || messages != 1 {
		s.fleet.faults.Add(1)
	}
	s.last = first
	s.arrived = time.Since(p.began)
	s.fleet.again <- s
	if p.unserved.Add(-1) == 0 {
		close(p.served)
	}
}

// reader is the clients' side.
func (f *fleet) reader() {
	for s := range f.again {
		s.ask()
		if p := f.phase.Load(); p.unasked.Add(-1) == 0 {
			close(p.asked)
		}
	}
}

// A carrier makes the function with which a subscriber acknowledges the last
// message and asks for the next.
type carrier func(*subscriber, *transport.Session) func()

// hold is how long a request is held: longer than the measurement takes, so
// that no session asks for another reason than that it was answered.
const hold = 5 * time.Minute

// A house is where the sessions are.
type house struct {
	bus      *bus.Bus
	endpoint *push.Endpoint
	carrier  carrier
}

func newHouse(sessions int, named string) *house {
	b, options := bus.New(nil), &push.Options{Wait: hold, Inactivity: hold}
	manager := transport.NewManager(&transport.Options{Backend: b, MaxSessions: sessions})
	return &house{b, push.NewEndpoint(manager, options), carriers[named](manager, options)}
}

// newFleet returns a fleet without sessions: what it has by now is the
// clients' side.
func newFleet(n int) *fleet {
	f := &fleet{subscribers: make([]subscriber, n), again: make(chan *subscriber, n)}
	for range readers {
		go f.reader()
	}
	return f
}

// launch makes the sessions with their subscriptions.
func (f *fleet) launch(ctx context.Context, h *house, topic string) error {
	create := &push.Object{Messages: []json.RawMessage{subscribe(topic)}}
	p := f.begin() // they get "subscribed"
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for part := range readers {
		all.Go(func() {
			for i := part; i < len(f.subscribers); i += readers {
				session, _, err := h.endpoint.Create(ctx, create)
				if err != nil {
					failed.Store(&err)
					return
				}
				s := &f.subscribers[i]
				s.fleet, s.ask = f, h.carrier(s, session)
				s.ask()
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return f.wait(p)
}

// publish publishes to all of a fleet.
func (f *fleet) publish(ctx context.Context, h *house, topic string) (*phase, error) {
	p := f.begin()
	_, err := h.bus.Publish(ctx, topic, json.RawMessage(message), nil)
	return p, err
}

// readers is how many goroutines the clients have.
var readers = runtime.GOMAXPROCS(0)

// A fleetResult is what one turn of a fleet came to.
type fleetResult struct {
	Heap, Resident float64 // bytes per session
	Goroutines     float64 // in all
	Setup          float64 // CPU seconds per session
	Bystander      float64 // seconds to a subscriber of another topic, meanwhile; the worst
	rounds
}

// measureFleet makes the sessions and has a number of rounds. In each, right
// after the message for all, one for somebody else is published.
func measureFleet(ctx context.Context, s settings, named string) (r fleetResult, err error) {
	f, bystander, h := newFleet(s.sessions), newFleet(1), newHouse(s.sessions+1, named)
	if err := bystander.launch(ctx, h, "another"); err != nil {
		return r, err
	}
	vitals.Collect()
	before, resident, cpu := vitals.Read(), self().resident(), self().cpu()
	if err := f.launch(ctx, h, everybody); err != nil {
		return r, err
	}
	n := float64(s.sessions)
	r.Setup = (self().cpu() - cpu).Seconds() / n
	vitals.Collect()
	after := vitals.Read()
	r.Heap = float64(after.Heap-before.Heap) / n
	r.Goroutines = float64(after.Goroutines)
	stop, err := s.profileSelf(named)
	if err != nil {
		return r, err
	}
	m := meter{process: self(), before: after}
	arrived := make([]time.Duration, s.sessions)
	for range s.rounds {
		m.begin()
		p, err := f.publish(ctx, h, everybody)
		if err != nil {
			return r, err
		}
		q, err := bystander.publish(ctx, h, "another")
		if err != nil {
			return r, err
		}
		if err := errors.Join(f.wait(p), bystander.wait(q)); err != nil {
			return r, err
		}
		m.end()
		for i := range f.subscribers {
			arrived[i] = f.subscribers[i].arrived
		}
		m.latencies(arrived)
		r.Bystander = max(r.Bystander, bystander.subscribers[0].arrived.Seconds())
	}
	r.rounds = m.result(vitals.Read(), s.sessions)
	r.Resident = float64(self().resident()-resident) / n
	return r, stop()
}
