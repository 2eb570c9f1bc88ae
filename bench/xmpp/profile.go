//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
)

// collect takes profiles of the gateway while it is measured: of CPU and
// allocations in the closed loop, of heap and goroutines with idle sessions.
func (s settings) collect(ctx context.Context, r *programs.Running, sys system, what string, sessions int) error {
	if err := os.MkdirAll(s.profile, 0o755); err != nil {
		return err
	}
	if err := waitFor(ctx, r.PIDs[gateway], sessions); err != nil {
		return err
	}
	select {
	case <-time.After(s.warmup / 2):
	case <-ctx.Done():
		return ctx.Err()
	}
	kinds := map[string]string{"heap": "heap?gc=1", "goroutine": "goroutine"}
	if what == "trips" {
		kinds = map[string]string{"cpu": fmt.Sprintf("profile?seconds=%d", max(1, int(s.duration.Seconds()))), "allocs": "allocs"}
	}
	for _, kind := range []string{"cpu", "allocs", "heap", "goroutine"} {
		query, ok := kinds[kind]
		if !ok {
			continue
		}
		data, err := r.Profile(ctx, query)
		if err != nil {
			return err
		}
		name := strings.NewReplacer(", ", "-", "/", "").Replace(sys.String()) + "-" + kind + ".pprof"
		if err := os.WriteFile(filepath.Join(s.profile, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// waitFor returns once the gateway has as many sessions: each has a connection
// of the client, and one to the server.
func waitFor(ctx context.Context, gateway, sessions int) error {
	for {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", gateway))
		if err != nil || len(files) >= 2*sessions {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
