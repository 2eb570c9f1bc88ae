//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// A Loop, Trips and Idle are what bench/load prints; see there.
type loop struct {
	PerSec        float64
	CPU           map[string]float64
	P50, P99      float64
	Requests      float64
	Lost, Doubled int
	LoadBusy      float64
}

type trips struct {
	Closed, Open loop
	Gone         int
}

type idle struct {
	LoginsPerSec  float64
	LoginCPU      map[string]float64
	Resident      map[string]float64
	IdleCPU       map[string]float64
	Gone          int
	LoadBusyLogin float64
}

// A result is one turn of a system.
type result struct {
	trips trips
	idle  idle
}

// measure starts the system for each of the two measurements, so that neither
// works in what the other left.
func (s settings) measure(ctx context.Context, dir string, sys system) (r result, err error) {
	err = s.load(ctx, dir, sys, &r.trips, s.sessions, "-duration", s.duration.String(), "-in-flight", strconv.Itoa(s.inFlight), "trips")
	if err != nil || sys.carrier == "http" {
		return r, err
	}
	// As long as a request is held: each session asks once.
	return r, s.load(ctx, dir, sys, &r.idle, s.idle, "-duration", s.hold.String(), "-wait", strconv.Itoa(int(s.hold.Seconds())), "idle")
}

var paths = map[string]string{"bosh": "/http-bind", "ws": "/xmpp-websocket", "http": "/http-bind", "tcp": "/"}

// load runs bench/load against a fresh system.
func (s settings) load(ctx context.Context, dir string, sys system, into any, sessions int, more ...string) error {
	r, err := start(ctx, dir, sys, max(sessions, 10))
	if err != nil {
		return err
	}
	defer r.Stop()
	args := []string{
		"-carrier", sys.carrier, "-addr", r.addr, "-path", paths[sys.carrier], "-domain", domain,
		"-sessions", strconv.Itoa(sessions), "-warmup", s.warmup.String(),
	}
	for part, pid := range r.PIDs {
		args = append(args, "-watch", fmt.Sprintf("%s=%d", part, pid))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "load"), append(args, more...)...)
	cmd.Stderr = os.Stderr
	if s.profile != "" && sys.gateway {
		collected := make(chan error, 1)
		go func() { collected <- s.collect(ctx, r.Running, sys, more[len(more)-1], sessions) }()
		defer func() {
			if err := <-collected; err != nil {
				fmt.Fprintln(os.Stderr, "bench: profile:", err)
			}
		}()
	}
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}
