//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
)

// Each carrier of mochibosh, and each floor, is measured for a moment: no
// message is lost or doubled, no subscription ends, and there is something to
// show.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	if err := programs.Build(t.Context(), dir, false, ourPrograms...); err != nil {
		t.Fatal(err)
	}
	s := settings{turns: 1, idle: 20, hold: time.Second, warmup: 50 * time.Millisecond, duration: 200 * time.Millisecond}
	rs := &results{settings: s}
	idle := s.idleClients()
	few, each := measure{subscribers: 20, topics: 1, rate: 50}, measure{subscribers: 20, topics: 20, rate: 200}
	for _, sys := range systems {
		if !sys.ours() && (!strings.HasPrefix(sys.name, "floor") || sys.name == floorNginx) {
			continue
		}
		measures := []measure{idle, few, each}
		if sys.carrier == publish {
			measures = []measure{requests}
		}
		for _, m := range measures {
			r, err := s.measure(t.Context(), dir, sys, m)
			if err != nil {
				t.Fatalf("%v: %v: %v", sys, m, err)
			}
			if r.Lost+r.Doubled+r.Gone != 0 || m.rate > 0 && (r.CPU <= 0 || r.P50 <= 0 || r.P99 < r.P50) || m == requests && r.PerSec <= 0 {
				t.Errorf("%v: %v: %+v", sys, m, r)
			}
			rs.add(sys, m, r)
		}
	}
	if err := rs.faults(); err != nil {
		t.Error(err)
	}
	if text := rs.markdown(); !strings.Contains(text, "| BOSH | mochibosh |") || !strings.Contains(text, "| memory of an idle client | SSE |") {
		t.Error(text)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		sys   system
		r     result
		fault bool
	}{
		{system{mochibosh, sse}, result{}, false},
		{system{mochibosh, sse}, result{Lost: 1}, true},
		{system{mochibosh, bosh}, result{Doubled: 1}, true},
		{system{mochibosh, bosh}, result{Gone: 1}, true},
		{system{nchan, sse}, result{Lost: 1, Doubled: 1, Gone: 1}, false},
	} {
		rs := &results{}
		rs.add(c.sys, fanOut, result{})
		rs.add(c.sys, fanOut, c.r)
		if err := rs.faults(); (err != nil) != c.fault {
			t.Errorf("%v, %+v: %v", c.sys, c.r, err)
		}
	}
}

func TestRatioAndGoals(t *testing.T) {
	rs := &results{}
	for _, cpu := range []float64{10e-6, 12e-6, 90e-6} {
		rs.add(system{mochibosh, sse}, fanOut, result{CPU: cpu})
		rs.add(system{nchan, sse}, fanOut, result{CPU: 2 * cpu})
		rs.add(system{mochibosh, sse}, single, result{CPU: cpu})
		rs.add(system{nchan, sse}, single, result{CPU: cpu / 2})
	}
	text := rs.markdown()
	for _, want := range []string{
		"| SSE | nchan | – | – | 0.50 |",
		"| fan-out to 1,000 | SSE | 12.0 CPU-s per million | ≤ 15.0 CPU-s per million | yes |",
		"| single messages, no more than nchan | SSE | 12.0 CPU-s per million | ≤ 6.0 CPU-s per million | no |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func TestPlots(t *testing.T) {
	rs := &results{settings: settings{idle: 5000}}
	for _, carrier := range []string{longPoll, webSocket} {
		for _, m := range []measure{idle1k, rs.settings.idleClients(), idle18k} {
			rs.add(system{mochibosh, carrier}, m, result{Resident: 4096, CPU: 0.001})
		}
	}
	dir := filepath.Join(t.TempDir(), "plots")
	if err := rs.draw(dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "idle-memory.svg"))
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(data)))
	for err == nil {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) || strings.Count(string(data), "<polyline") != 2 || !strings.Contains(string(data), ">18,000<") || strings.Contains(string(data), "%!") {
		t.Errorf("%v: %s", err, data)
	}
	if _, err := os.Stat(filepath.Join(dir, "delivery-cpu.svg")); err == nil {
		t.Error("there is a plot of what was not measured")
	}
}

func TestNiceStep(t *testing.T) {
	for top, want := range map[float64]float64{0: 1, 3.9: 1, 5.2: 2, 9.9: 2, 30: 10, 1.6: 0.5, 120: 50} {
		if got := niceStep(top); got != want {
			t.Errorf("up to %v: %v, want %v", top, got, want)
		}
	}
}
