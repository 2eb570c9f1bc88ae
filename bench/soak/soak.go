//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// settings are what is run.
type settings struct {
	length time.Duration
	rate   float64       // new sessions each second
	life   time.Duration // of one, at most
	seed   uint64
}

// warmUp is how long it runs before the figures are taken that it is to return
// to: pools and maps have their size then.
func (s settings) warmUp() time.Duration { return min(time.Minute, s.length/3) }

// calm is how long after the last visit nothing of it is left: the server has
// given up those who vanished, and forgotten those that it gave up.
const calm = 2*(wait+inactivity) + time.Second

// results are what came of it.
type results struct {
	settings
	before, busiest, after figures
	mu                     sync.Mutex
	visits                 map[string]int // by kind
	farewells              map[farewell]int
	messages               int
	failures               []error
}

// A farewell is how a visit ends.
type farewell int

const (
	goodbye farewell = iota // as the protocol has it
	vanish                  // the connection breaks, and nothing more is heard
	deaf                    // the client stops reading, and then vanishes
	farewells
)

func (f farewell) String() string {
	return [...]string{"said goodbye", "vanished", "stopped reading"}[f]
}

// soak runs it. An error means that it could not be run.
func soak(ctx context.Context, s settings) (*results, error) {
	server, err := startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	r := &results{settings: s, visits: make(map[string]int), farewells: make(map[farewell]int)}
	r.visitors(ctx, server, s.warmUp())
	r.before = r.settled(ctx, figures{})
	r.visitors(ctx, server, s.length)
	r.after = r.settled(ctx, r.before)
	return r, ctx.Err()
}

// visitors lets sessions come and go for some time.
func (r *results) visitors(ctx context.Context, server *server, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	rng := rand.New(rand.NewPCG(r.seed, uint64(d)))
	kinds := slices.Sorted(maps.Keys(kinds))
	var all sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.ExpFloat64() * float64(time.Second) / r.rate)):
			kind := kinds[rng.IntN(len(kinds))]
			v := &visitor{server: server, rng: rand.New(rand.NewPCG(r.seed, rng.Uint64())), leave: farewell(rng.IntN(int(farewells)))}
			all.Go(func() { r.note(kind, v, v.visit(kind, r.life)) })
		}
		if n%100 == 0 {
			r.busiest = r.busiest.max(measure())
		}
	}
	all.Wait()
}

func (r *results) note(kind string, v *visitor, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits[kind]++
	r.farewells[v.leave]++
	r.messages += v.messages
	if err != nil {
		r.failures = append(r.failures, fmt.Errorf("%s: %w", kind, err))
	}
}

// settled returns the figures when nothing goes on any more. If they are still
// above others by then, it waits a little: connections close in their own time.
func (r *results) settled(ctx context.Context, expected figures) (f figures) {
	for late := time.After(2 * calm); ; {
		select {
		case <-time.After(calm / 2):
		case <-late:
			return f
		case <-ctx.Done():
			return f
		}
		before := f
		if f = measure(); f.within(expected) == nil || expected == (figures{}) && f.within(before) == nil {
			return f
		}
	}
}

// check returns what is not as it was, and what went wrong.
func (r *results) check() error {
	if len(r.failures) > 0 {
		return fmt.Errorf("%d visits failed: %w", len(r.failures), r.failures[0])
	}
	return r.after.within(r.before)
}

// tables are for docs/reliability.md.
func (r *results) tables() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %.0f new sessions each second, seed %d; %d messages.\n\n", r.length, r.rate, r.seed, r.messages)
	fmt.Fprintf(&b, "| sessions | |\n|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(r.visits)) {
		fmt.Fprintf(&b, "| %s | %d |\n", kind, r.visits[kind])
	}
	for f := range farewells {
		fmt.Fprintf(&b, "| that %v | %d |\n", f, r.farewells[f])
	}
	fmt.Fprintf(&b, "| that failed | %d |\n\n", len(r.failures))
	fmt.Fprintf(&b, "| | before | at its busiest | after |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| goroutines | %d | %d | %d |\n", r.before.goroutines, r.busiest.goroutines, r.after.goroutines)
	fmt.Fprintf(&b, "| descriptors | %d | %d | %d |\n", r.before.descriptors, r.busiest.descriptors, r.after.descriptors)
	fmt.Fprintf(&b, "| heap, KiB | %d | %d | %d |\n", r.before.heap>>10, r.busiest.heap>>10, r.after.heap>>10)
	return b.String()
}
