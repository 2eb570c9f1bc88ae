//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
)

// Each way through the gateway, and each floor, is measured for a moment: no
// message is lost or doubled, no session ends, and there is something to show.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	if err := programs.Build(t.Context(), dir, false, packages...); err != nil {
		t.Fatal(err)
	}
	s := settings{turns: 1, sessions: 20, idle: 20, inFlight: 3, warmup: 50 * time.Millisecond, duration: 200 * time.Millisecond, hold: time.Second}
	rs := &results{settings: s}
	for _, sys := range systems {
		if sys.server != "echo" && sys.server != "net/http" {
			continue
		}
		r, err := s.measure(t.Context(), dir, sys)
		if err != nil {
			t.Fatalf("%v: %v", sys, err)
		}
		if r.trips.Closed.PerSec == 0 || r.trips.Open.PerSec == 0 || r.trips.Closed.CPU[server] == 0 {
			t.Errorf("%v: nothing came back: %+v", sys, r)
		}
		if n := lost(r) + doubled(r) + r.trips.Gone + r.idle.Gone; n > 0 {
			t.Errorf("%v: %d messages or sessions are wrong: %+v", sys, n, r)
		}
		rs.add(sys, r)
	}
	if err := rs.faults(); err != nil {
		t.Error(err)
	}

	if got := rs.markdown(); !strings.Contains(got, "| mochibosh + echo | ws |") {
		t.Error(got)
	}
}

func TestMedianAndWorst(t *testing.T) {
	sys, rs := systems[0], &results{}
	for _, n := range []int{5, 1, 3} {
		rs.add(sys, result{trips: trips{Closed: loop{PerSec: float64(n), Lost: n}}})
	}
	if got := rs.median(sys, func(r result) float64 { return r.trips.Closed.PerSec }); got != 3 {
		t.Errorf("the median is %v", got)
	}
	if got := rs.worst(sys, lost); got != 5 {
		t.Errorf("the worst is %v", got)
	}
}
