//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// profilerSource is compiled into a gateway that is profiled, and into no other.
const profilerSource = `package main

import (
	"net/http"
	_ "net/http/pprof"
	"os"
)

func init() { go http.ListenAndServe(os.Getenv("BENCH_PROFILES"), nil) }
`

// profiler writes the overlay for go build that adds profilerSource.
func profiler(dir string) (overlay string, err error) {
	source := filepath.Join(dir, "profiler.go")
	if err := os.WriteFile(source, []byte(profilerSource), 0o600); err != nil {
		return "", err
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(wd, "cmd/mochibosh/profiler.go"): source},
	})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// collect takes profiles of the gateway while it is measured: of CPU and
// allocations in the closed loop, of heap and goroutines with idle sessions.
func (s settings) collect(ctx context.Context, addr string, sys system, what string, sessions int) error {
	if err := os.MkdirAll(s.profile, 0o755); err != nil {
		return err
	}
	name := func(kind string) string {
		return filepath.Join(s.profile, strings.NewReplacer(", ", "-", "/", "").Replace(sys.String())+"-"+kind+".pprof")
	}
	base := "http://" + addr + "/debug/pprof/"
	if err := waitFor(ctx, base, sessions); err != nil {
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
		if query, ok := kinds[kind]; ok {
			if err := fetch(ctx, base+query, name(kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitFor returns once there are as many goroutines as sessions: each has one
// at least, which reads from its server.
func waitFor(ctx context.Context, base string, sessions int) error {
	for {
		text, err := get(ctx, base+"goroutine?debug=1")
		if err == nil {
			_, total, _ := strings.Cut(strings.SplitN(string(text), "\n", 2)[0], "total ")
			if n, _ := strconv.Atoi(total); n >= sessions {
				return nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func fetch(ctx context.Context, url, file string) error {
	data, err := get(ctx, url)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
