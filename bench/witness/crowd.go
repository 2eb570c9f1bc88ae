// Package witness has clients of the event bus that notice everything: each
// publishes numbered messages, without ids, in a topic of its own, to which it
// subscribes. Whatever happens to servers and networks, each message must come
// back once, and in its place.
package witness

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Carriers are all that a client can use.
var Carriers = []string{"long-poll", "SSE", "WebSocket", "BOSH"}

// A Crowd is the clients of a run.
type Crowd struct {
	Clients  int
	Every    time.Duration // how often each publishes
	Carriers []string      // that they use, in turn
	// URL returns where a request is sent to; it is asked for each.
	URL func() string
}

// patience is how long everything may take to arrive once the network is well.
const patience = 60 * time.Second

// Run has the clients begin, calls during while they talk, and returns what came
// of it, once all has arrived that is going to.
func (c Crowd) Run(ctx context.Context, during func(ctx context.Context) error) (*Tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := make([]*client, c.Clients)
	var making, running sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range all {
		all[i] = newClient(c.URL, c.Carriers[i%len(c.Carriers)], i, c.Every)
		slots <- struct{}{}
		making.Go(func() {
			defer func() { <-slots }()
			all[i].begin(ctx)
		})
	}
	making.Wait()
	publishing, enough := context.WithCancel(ctx)
	defer enough()
	for _, c := range all {
		running.Go(func() { c.run(ctx, publishing) })
	}
	if err := during(ctx); err != nil {
		return nil, err
	}
	enough()
	arrived, giveUp := context.WithTimeout(ctx, patience)
	defer giveUp()
	for _, c := range all {
		c.wait(arrived)
	}
	cancel()
	running.Wait()
	t := new(Tally)
	for _, c := range all {
		c.report(t)
	}
	slices.Sort(t.Gaps)
	return t, nil
}

// A Tally is what came of a run.
type Tally struct {
	Sent, Came, Doubled, Misordered int
	Gaps                            []time.Duration // the longest wait for a message of each client, ascending
	Astray                          []string        // the first doubled or out of order of each client that had one
	Waiting                         []string        // of each client that did not get all, what it has
	Errs                            []error         // of clients whose session was lost
}

// Lost returns how many messages did not come back.
func (t *Tally) Lost() int { return t.Sent - t.Came }

// Err returns nil if nothing was lost, doubled, or out of order.
func (t *Tally) Err() error {
	if len(t.Errs) == 0 && t.Lost() == 0 && t.Doubled == 0 && t.Misordered == 0 {
		return nil
	}
	return fmt.Errorf("of %d messages %d are lost, %d doubled, %d out of order; sessions lost: %v; %v; %v", t.Sent, t.Lost(), t.Doubled, t.Misordered, t.Errs, t.Astray, t.Waiting)
}

// Gap returns a time that so many percent of the clients never waited longer for
// a message than.
func (t *Tally) Gap(percent int) time.Duration { return t.Gaps[(len(t.Gaps)-1)*percent/100] }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
