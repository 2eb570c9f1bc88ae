package main

import (
	"context"
	"fmt"

	"github.com/mochibosh/mochibosh/bench/witness"
)

// A result is what came of a run.
type result struct {
	setup
	event event
	*witness.Tally
}

const heading = `| what happens | NATS | sessions | messages | lost | doubled | out of order | sessions lost | longest gap, median | of 99 % | of all |
|---|---|---|---|---|---|---|---|---|---|---|`

func (r *result) row() string {
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %.1f s |", r.event.name, r.nats, r.clients, r.Sent, r.Lost(),
		r.Doubled, r.Misordered, len(r.Errs), r.Gap(50).Seconds(), r.Gap(99).Seconds(), r.Gap(100).Seconds())
}

func run(ctx context.Context, s setup, e event) (*result, error) {
	w, err := newWorld(ctx, s)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if e.bad {
		if err := w.worsen(); err != nil {
			return nil, err
		}
	}
	crowd := witness.Crowd{Clients: s.clients, Every: s.every, Carriers: s.carriers, URL: func() string { return w.url }}
	r := &result{setup: s, event: e}
	r.Tally, err = crowd.Run(ctx, func(ctx context.Context) error {
		pause(ctx, s.between)
		if err := e.happen(ctx, w); err != nil {
			return err
		}
		pause(ctx, s.between)
		w.soothe()
		return nil
	})
	return r, err
}
