package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/bench/witness"
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
	*witness.Tally
	down time.Duration // the longest time without a process
}

const heading = `| end | durability | sessions | restarts | messages | lost | doubled | out of order | sessions lost | no process | longest gap, median | of 99 % | of all |
|---|---|---|---|---|---|---|---|---|---|---|---|---|`

func (r *result) row() string {
	return fmt.Sprintf("| SIG%s | %s | %d | %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %.1f s | %.1f s |",
		map[string]string{"term": "TERM", "kill": "KILL"}[r.signal], r.durability, r.clients, r.restarts, r.Sent, r.Lost(), r.Doubled, r.Misordered,
		len(r.Errs), r.down.Seconds(), r.Gap(50).Seconds(), r.Gap(99).Seconds(), r.Gap(100).Seconds())
}

func run(ctx context.Context, s setup) (*result, error) {
	server, err := newServer(ctx, s)
	if err != nil {
		return nil, err
	}
	defer server.remove()
	if err := server.start(); err != nil {
		return nil, err
	}
	r := &result{setup: s}
	how := map[string]syscall.Signal{"term": syscall.SIGTERM, "kill": syscall.SIGKILL}[s.signal]
	crowd := witness.Crowd{Clients: s.clients, Every: s.every, Carriers: s.carriers, URL: func() string { return server.url }}
	r.Tally, err = crowd.Run(ctx, func(ctx context.Context) error {
		for range s.restarts {
			pause(ctx, s.between)
			down, err := server.restart(how)
			if err != nil {
				return err
			}
			r.down = max(r.down, down)
		}
		pause(ctx, s.between)
		return nil
	})
	return r, err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
