package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/bench/tables"
	"github.com/mochibosh/mochibosh/bench/vitals"
)

const message = `{"text":"a message of about a hundred bytes, as they are in chats and in tickers of all kinds"}`

func everybody(int) string { return "everybody" }

// rooms puts so many clients in each topic.
func rooms(size int) func(i int) string {
	return func(i int) string { return fmt.Sprint("room/", i/size) }
}

// cpu returns what this process has used of the processors: nodes, NATS and clients.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *world) publish(ctx context.Context, topic string) error {
	for {
		if n := w.nodes[rand.IntN(len(w.nodes))]; !n.dead.Load() {
			_, err := n.bus.Publish(ctx, topic, json.RawMessage(message), nil)
			return err
		}
	}
}

// A told is what a round came to: messages that reached their clients, and the clients
// back in their polls.
type told struct {
	Clients  int
	Rate     float64 // deliveries a second
	CPU      float64 // seconds per delivery
	P50, P99 float64 // seconds from the first publication to a delivery
	Wires    wires   // per delivery
}

// tell publishes in topics, whose subscribers are all of these clients.
func (c *crowd) tell(ctx context.Context, clients []*client, topics ...string) (r told, err error) {
	before, used := c.world.wires(), cpu()
	p := c.begin(2 * len(clients))
	for _, t := range topics {
		if err := c.world.publish(ctx, t); err != nil {
			return r, err
		}
	}
	if err := c.wait(ctx, p); err != nil {
		return r, err
	}
	took := time.Since(p.began)
	n := len(clients)
	r = told{Clients: n, Rate: float64(n) / took.Seconds(), CPU: (cpu() - used).Seconds() / float64(n), Wires: c.world.wires().minus(before).per(float64(n))}
	arrived := make([]time.Duration, n)
	for i, x := range clients {
		arrived[i] = x.arrived
	}
	slices.Sort(arrived)
	r.P50, r.P99 = arrived[n/2].Seconds(), arrived[n*99/100].Seconds()
	return r, nil
}

func (c *crowd) all() []*client {
	all := make([]*client, len(c.clients))
	for i := range c.clients {
		all[i] = &c.clients[i]
	}
	return all
}

// medians returns the medians of rounds.
func medians(rounds []told) told {
	of := func(f func(told) float64) float64 {
		values := make([]float64, len(rounds))
		for i, r := range rounds {
			values[i] = f(r)
		}
		return tables.Median(values)
	}
	return told{
		Clients: rounds[0].Clients,
		Rate:    of(func(r told) float64 { return r.Rate }),
		CPU:     of(func(r told) float64 { return r.CPU }),
		P50:     of(func(r told) float64 { return r.P50 }),
		P99:     of(func(r told) float64 { return r.P99 }),
		Wires:   rounds[len(rounds)-1].Wires,
	}
}

// fanOut has a message for all, several times.
func fanOut(ctx context.Context, s settings, l layout) (r told, err error) {
	w, err := newWorld(ctx, l)
	if err != nil {
		return r, err
	}
	defer w.close()
	c := newCrowd(w, s.Clients)
	if err := c.connect(ctx, everybody); err != nil {
		return r, err
	}
	var rounds []told
	for range s.Rounds + 1 {
		r, err := c.tell(ctx, c.all(), everybody(0))
		if err != nil {
			return r, err
		}
		rounds = append(rounds, r)
	}
	return medians(rounds[1:]), nil
}

// A bill is what NATS carries of different things.
type bill struct {
	Beats   wires // a second, of all nodes and nobody else
	Session wires // to make one, subscribed to a topic that is known
	Poll    wires // one that ends without a message, at another node
	Message wires // published, for a subscriber of each node, with their answers
}

// listen counts what NATS carries.
func listen(ctx context.Context, s settings, l layout) (b bill, err error) {
	l.Wait = 500 * time.Millisecond
	w, err := newWorld(ctx, l)
	if err != nil {
		return b, err
	}
	defer w.close()
	before, began := w.wires(), time.Now()
	time.Sleep(s.Pause)
	b.Beats = w.wires().minus(before).per(time.Since(began).Seconds())
	less := func(ws wires, since time.Time) wires {
		d := time.Since(since).Seconds()
		return wires{
			ws.Nodes.minus(b.Beats.Nodes.times(d)),
			ws.Servers.minus(b.Beats.Servers.times(d)),
		}
	}
	n := s.Clients / 10
	c := newCrowd(w, n)
	since, before := time.Now(), w.wires()
	if err := c.connect(ctx, rooms(len(w.nodes))); err != nil {
		return b, err
	}
	b.Session = less(w.wires().minus(before), since).per(float64(n))

	since, before = time.Now(), w.wires()
	polls := c.polls.Load()
	time.Sleep(s.Pause)
	b.Poll = less(w.wires().minus(before), since).per(float64(c.polls.Load() - polls))

	since, before = time.Now(), w.wires()
	polls = c.polls.Load()
	var topics []string
	for i := 0; i < n; i += len(w.nodes) {
		topics = append(topics, rooms(len(w.nodes))(i))
	}
	if _, err := c.tell(ctx, c.all(), topics...); err != nil {
		return b, err
	}
	spent := less(w.wires().minus(before), since)
	idle := float64(c.polls.Load() - polls)
	spent = spent.minus(wires{b.Poll.Nodes.times(idle), b.Poll.Servers.times(idle)})
	b.Message = spent.per(float64(len(topics)))
	return b, nil
}

// A death is what came of one.
type death struct {
	Sessions int     // of the dead node
	Took     float64 // seconds until the last is at another
	CPU      float64 // seconds per session
	Repeated int64   // requests that had to be
}

// kill has a node die, and waits until its sessions are at others.
func (c *crowd) kill(ctx context.Context, dead *node) (d death, err error) {
	var there []*client // polls there are cut
	for i := range c.clients {
		if x := &c.clients[i]; x.at == dead {
			there = append(there, x)
		}
		if c.clients[i].maker == dead {
			d.Sessions++
		}
	}
	repeated, used, began := c.retries.Load(), cpu(), time.Now()
	dead.kill()
	p := c.begin(len(there))
	for _, x := range there {
		c.again <- x
	}
	if err := c.wait(ctx, p); err != nil {
		return d, err
	}
	for there := 0; there < len(c.clients); {
		if time.Since(began) > 10*time.Minute || ctx.Err() != nil {
			return d, fmt.Errorf("%d of %d sessions are at a node", there, len(c.clients))
		}
		time.Sleep(10 * time.Millisecond)
		there = 0
		for _, n := range c.world.nodes {
			if !n.dead.Load() {
				there += n.manager.Stats().Sessions
			}
		}
	}
	d.Took = time.Since(began).Seconds()
	d.CPU = (cpu() - used).Seconds() / float64(d.Sessions)
	d.Repeated = c.retries.Load() - repeated
	return d, nil
}

// A country is many sessions at several nodes, in rooms.
type country struct {
	Sessions, Nodes, Room int
	Made                  float64 // a second
	MadeCPU               float64 // seconds each
	Heap                  float64 // bytes per session: at two nodes, and in NATS
	Elsewhere             float64 // share of the polls that wait at another node than that of the session
	Told                  told    // of one in so many rooms
	Death                 death
	After                 told
}

// live measures a country.
func live(ctx context.Context, s settings, l layout) (r country, err error) {
	w, err := newWorld(ctx, l)
	if err != nil {
		return r, err
	}
	defer w.close()
	const room = 100
	r = country{Sessions: s.Sessions, Nodes: l.Nodes, Room: room}
	vitals.Collect()
	heap := vitals.Read().Heap
	c := newCrowd(w, s.Sessions)
	began, used := time.Now(), cpu()
	if err := c.connect(ctx, rooms(room)); err != nil {
		return r, err
	}
	r.Made = float64(s.Sessions) / time.Since(began).Seconds()
	r.MadeCPU = (cpu() - used).Seconds() / float64(s.Sessions)
	vitals.Collect()
	r.Heap = float64(vitals.Read().Heap-heap) / float64(s.Sessions)
	for _, n := range w.nodes {
		r.Elsewhere += float64(n.Stats().Waiting) / float64(s.Sessions)
	}
	fmt.Fprintf(os.Stderr, "%d sessions are there after %v\n", s.Sessions, time.Since(began).Round(time.Second))
	if r.Told, err = c.some(ctx, room); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "%v\n", r.Told)
	if r.Death, err = c.kill(ctx, w.nodes[0]); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "a node's %d sessions are elsewhere\n", r.Death.Sessions)
	r.After, err = c.some(ctx, room)
	return r, err
}

// some has a message in one of fifty rooms.
func (c *crowd) some(ctx context.Context, room int) (told, error) {
	var clients []*client
	var topics []string
	for i := 0; i+room <= len(c.clients); i += 50 * room {
		topics = append(topics, rooms(room)(i))
		for j := range room {
			clients = append(clients, &c.clients[i+j])
		}
	}
	return c.tell(ctx, clients, topics...)
}
