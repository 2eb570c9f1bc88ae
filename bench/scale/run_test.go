//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Small ones of everything: that nothing is lost, doubled or out of order, and
// that the figures are there.
func TestSmall(t *testing.T) {
	s := settings{turns: 1, rounds: 2, sessions: 3000, polls: 100}
	rs := &results{settings: s, fleets: map[fleetRow][]fleetResult{}, crowds: map[crowdRow][]crowdResult{}}
	for _, row := range s.fleetRows() {
		t.Run("fleet, "+row.carrier, func(t *testing.T) {
			r, err := measureFleet(t.Context(), s, row.carrier)
			if err != nil {
				t.Fatal(err)
			}
			if r.Heap <= 0 || r.CPU <= 0 || r.Max <= 0 || r.Bystander <= 0 {
				t.Errorf("%+v", r)
			}
			rs.fleets[row] = append(rs.fleets[row], r)
		})
	}
	t.Run("polls over HTTP/2", func(t *testing.T) {
		dir := t.TempDir()
		if err := build(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		r, err := measureCrowd(t.Context(), s, dir, 50)
		if err != nil {
			t.Fatal(err)
		}
		if r.Heap <= 0 || r.CPU <= 0 || r.Max <= 0 || r.Goroutines < 1 || r.Goroutines > 1.5 {
			t.Errorf("%+v", r)
		}
		rs.crowds[crowdRow{50, defaultPercent}] = append(rs.crowds[crowdRow{50, defaultPercent}], r)
	})
	for _, want := range []string{"| core |", "| long-poll |", "| 2 × 50 |"} {
		if !strings.Contains(rs.markdown(), want) {
			t.Errorf("no %q in\n%s", want, rs.markdown())
		}
	}
}

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.md")
	if err := os.WriteFile(file, []byte("a\n"+beginMark+"old\n"+endMark+"b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(file, "new\n"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(file); string(got) != "a\n"+beginMark+"new\n"+endMark+"b\n" {
		t.Errorf("%s", got)
	}
	if err := os.WriteFile(file, []byte("a\n"+beginMark+"b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(file, "new\n"); err == nil {
		t.Error("a file without both marks was taken")
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
