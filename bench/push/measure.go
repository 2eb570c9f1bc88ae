//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mochibosh/mochibosh/bench/programs"
)

// A measure is something to measure: clients that are told nothing, when rate
// is zero, or deliveries, or, without subscribers, requests.
type measure struct {
	subscribers int
	topics      int
	rate        int // messages a second
	growth      bool
}

func (m measure) String() string {
	switch {
	case m == requests:
		return "requests"
	case m.rate == 0:
		return fmt.Sprintf("idle, %d clients", m.subscribers)
	case m.topics > 1:
		return "single messages"
	}
	return fmt.Sprintf("fan-out to %d, %d/s", m.subscribers, m.rate)
}

var (
	fanOut    = measure{subscribers: 1000, topics: 1, rate: 10}
	fanOut50  = measure{subscribers: 1000, topics: 1, rate: 50}
	fanOut10k = measure{subscribers: 10_000, topics: 1, rate: 1}
	single    = measure{subscribers: 1000, topics: 1000, rate: 2000}
	requests  = measure{}

	// How the cost grows is measured of mochibosh alone, and, for the middle of
	// each line, above.
	idle1k    = measure{subscribers: 1000, topics: 1, growth: true}
	idle18k   = measure{subscribers: 18_000, topics: 1, growth: true}
	fanOut100 = measure{subscribers: 100, topics: 1, rate: 100, growth: true}
)

func (s settings) idleClients() measure { return measure{subscribers: s.idle, topics: 1} }

func (s settings) wanted() (wanted []measure) {
	all := []measure{s.idleClients(), fanOut, fanOut50, fanOut10k, single, requests, idle1k, idle18k, fanOut100}
	if s.short {
		all = []measure{s.idleClients(), fanOut, single, requests}
	}
	for _, m := range all {
		if s.measures.MatchString(m.String()) {
			wanted = append(wanted, m)
		}
	}
	return wanted
}

// concerns reports whether the system is measured so. Fifty polls a second of
// a thousand clients are more than two processors can do for any server.
func (m measure) concerns(sys system) bool {
	return (sys.carrier == publish) == (m == requests) && (sys.ours() || !m.growth) && !(m == fanOut50 && sys.polls())
}

// A result is what bench/pushload prints of one measurement.
type result struct {
	Resident      float64 // bytes for each idle client
	CPU           float64 // seconds for each of them and minute, for each delivery, or each request
	PerSec        float64 // requests
	P50, P99      float64 // seconds
	Lost, Doubled int
	Gone          int
	Load          float64
}

func (s settings) measure(ctx context.Context, dir string, sys system, m measure) (r result, err error) {
	running, addr, err := start(ctx, dir, sys, s.hold)
	if err != nil {
		return r, err
	}
	defer running.Stop()
	what, duration := "deliver", s.duration
	switch {
	case m == requests:
		what = "requests"
	case m.rate == 0:
		what, duration = "idle", s.hold // each client polls once
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "pushload"),
		"-dialect", sys.dialect(), "-addr", addr, "-watch", server+"="+strconv.Itoa(running.PIDs[server]),
		"-subscribers", strconv.Itoa(m.subscribers), "-topics", strconv.Itoa(m.topics), "-rate", strconv.Itoa(m.rate),
		"-hold", strconv.Itoa(int(s.hold.Seconds())), "-warmup", s.warmup.String(), "-duration", duration.String(), what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	// It says when it begins to measure, and what came of it.
	lines := bufio.NewReader(out)
	_, err1 := lines.ReadString('\n')
	if s.profile != "" && sys.ours() && err1 == nil {
		err1 = s.collect(ctx, running, sys, m)
	}
	err2 := json.NewDecoder(lines).Decode(&r)
	return r, errors.Join(cmd.Wait(), err1, err2)
}

// collect takes profiles: of CPU and allocations while messages are delivered,
// else of heap and goroutines.
func (s settings) collect(ctx context.Context, running *programs.Running, sys system, m measure) error {
	if err := os.MkdirAll(s.profile, 0o755); err != nil {
		return err
	}
	kinds := map[string]string{"heap": "heap?gc=1", "goroutine": "goroutine"}
	if m.rate > 0 || m == requests {
		kinds = map[string]string{"cpu": fmt.Sprintf("profile?seconds=%d", max(1, int(s.duration.Seconds()))), "allocs": "allocs"}
	}
	for _, kind := range []string{"cpu", "allocs", "heap", "goroutine"} {
		query, ok := kinds[kind]
		if !ok {
			continue
		}
		data, err := running.Profile(ctx, query)
		if err != nil {
			return err
		}
		name := strings.NewReplacer(", ", "-", " ", "-", "/", "-per-").Replace(fmt.Sprintf("%v, %v, %s.pprof", sys, m, kind))
		if err := os.WriteFile(filepath.Join(s.profile, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
