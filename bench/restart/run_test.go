package main

import (
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bench/witness"
)

// A real server goes away under load, in order or not, and comes back.
func TestNothingIsLost(t *testing.T) {
	for _, test := range []struct{ signal, durability string }{
		{"term", "none"},
		{"term", "exchange"},
		{"kill", "interval"},
		{"kill", "exchange"},
	} {
		t.Run("SIG"+test.signal+" with durability "+test.durability, func(t *testing.T) {
			r, err := run(t.Context(), setup{
				clients: 24, every: 100 * time.Millisecond, restarts: 2, between: 400 * time.Millisecond, spread: 100 * time.Millisecond,
				signal: test.signal, durability: test.durability, carriers: witness.Carriers,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r.row())
			if err := r.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}
