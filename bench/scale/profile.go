//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profileSelf takes profiles of this process until stop is called: CPU, and
// then heap.
func (s settings) profileSelf(name string) (stop func() error, err error) {
	if s.profile == "" {
		return func() error { return nil }, nil
	}
	file := filepath.Join(s.profile, name)
	f, err := os.Create(file + "-cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		heap, err := os.Create(file + "-heap.pprof") // with what was allocated
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), pprof.Lookup("heap").WriteTo(heap, 0), heap.Close())
	}, nil
}

// profile takes profiles of the server, as its rounds begin.
func (s *server) profile(ctx context.Context, dir string) error {
	if dir == "" {
		return nil
	}
	for name, query := range map[string]string{"heap": "heap", "cpu": "profile?seconds=20"} {
		data, err := get(ctx, s.inner, "http://server/debug/pprof/"+query)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "held-"+name+".pprof"), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
