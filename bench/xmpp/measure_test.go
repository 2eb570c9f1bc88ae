//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Each way through the gateway, and each floor, is measured for a moment: no
// message is lost or doubled, no session ends, and there is something to show.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	if err := build(t.Context(), dir, false); err != nil {
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

	file := filepath.Join(dir, "doc.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(file, rs.markdown()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(got, []byte("before\n"+beginMark)) || !bytes.HasSuffix(got, []byte(endMark+"after\n")) ||
		bytes.Contains(got, []byte("old")) || !bytes.Contains(got, []byte("| mochibosh + echo | ws |")) {
		t.Errorf("%s, %v", got, err)
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
