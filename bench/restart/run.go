package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A setup is what is run.
type setup struct {
	clients    int
	every      time.Duration
	restarts   int
	between    time.Duration
	signal     string
	durability string
	spread     time.Duration
	carriers   []string
	verbose    bool
}

// A result is what came of it.
type result struct {
	setup
	sent, came, doubled, misordered int
	gaps                            []time.Duration // the longest wait for a message of each client
	down                            time.Duration   // the longest time without a process
	errs                            []error
}

func (r *result) lost() int { return r.sent - r.came }

func (r *result) faultless() bool {
	return len(r.errs) == 0 && r.lost() == 0 && r.doubled == 0 && r.misordered == 0
}

const heading = `| end | durability | sessions | restarts | messages | lost | doubled | out of order | sessions lost | no process | longest gap, median | of 99 % | of all |
|---|---|---|---|---|---|---|---|---|---|---|---|---|`

func (r *result) row() string {
	slices.Sort(r.gaps)
	gap := func(percent int) float64 { // so many clients had no longer one
		return r.gaps[(len(r.gaps)-1)*percent/100].Seconds()
	}
	return fmt.Sprintf("| SIG%s | %s | %d | %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %.1f s | %.1f s |",
		map[string]string{"term": "TERM", "kill": "KILL"}[r.signal], r.durability, r.clients, r.restarts, r.sent, r.lost(), r.doubled, r.misordered,
		len(r.errs), r.down.Seconds(), gap(50), gap(99), gap(100))
}

// patience is how long everything may take to arrive once the network is well.
const patience = 60 * time.Second

func run(ctx context.Context, s setup) (*result, error) {
	server, err := newServer(ctx, s)
	if err != nil {
		return nil, err
	}
	defer server.remove()
	if err := server.start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := make([]*client, s.clients)
	var making, running sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range all {
		all[i] = newClient(server.url, s.carriers[i%len(s.carriers)], i, s.every)
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
	r := &result{setup: s}
	how := map[string]syscall.Signal{"term": syscall.SIGTERM, "kill": syscall.SIGKILL}[s.signal]
	for range s.restarts {
		pause(ctx, s.between)
		down, err := server.restart(how)
		if err != nil {
			return nil, err
		}
		r.down = max(r.down, down)
	}
	pause(ctx, s.between)
	enough()
	arrived, giveUp := context.WithTimeout(ctx, patience)
	defer giveUp()
	for _, c := range all {
		c.wait(arrived)
	}
	cancel()
	running.Wait()
	for _, c := range all {
		c.report(r)
	}
	return r, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
