//go:build linux

package programs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
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
		"Replace": {filepath.Join(wd, gateway, "profiler.go"): source},
	})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// Profile returns a profile of the gateway, such as heap?gc=1 or
// profile?seconds=5.
func (r *Running) Profile(ctx context.Context, query string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.Profiles+"/debug/pprof/"+query, nil)
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
