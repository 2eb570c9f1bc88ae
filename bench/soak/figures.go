//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// figures are what a process has.
type figures struct {
	goroutines, descriptors int
	heap                    uint64 // bytes in use, after garbage was collected
}

// slack is how much the heap may differ: what the runtime keeps for itself, and
// what a pool happens to hold.
const slack = 1 << 20

func measure() (f figures) {
	runtime.GC()
	runtime.GC() // what pools gave up in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return figures{goroutines: runtime.NumGoroutine(), descriptors: len(open), heap: m.HeapAlloc}
}

func (f figures) max(g figures) figures {
	return figures{max(f.goroutines, g.goroutines), max(f.descriptors, g.descriptors), max(f.heap, g.heap)}
}

// within returns what of the figures is above what was before.
func (f figures) within(before figures) error {
	var errs []error
	if f.goroutines > before.goroutines {
		errs = append(errs, fmt.Errorf("%d goroutines, there were %d", f.goroutines, before.goroutines))
	}
	if f.descriptors > before.descriptors {
		errs = append(errs, fmt.Errorf("%d descriptors, there were %d", f.descriptors, before.descriptors))
	}
	if f.heap > before.heap+slack {
		errs = append(errs, fmt.Errorf("a heap of %d bytes, there were %d", f.heap, before.heap))
	}
	return errors.Join(errs...)
}
