package main

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
)

// tuneMemory has garbage collected as the settings say. They know Go's own
// variables too, which are thus obeyed and not overruled by a default.
func (s *settings) tuneMemory(ctx context.Context) {
	debug.SetMemoryLimit(int64(s.MemoryLimit))
	if s.GCPercent == gcAuto {
		debug.SetGCPercent(goPercent)
		go (&collector{percent: goPercent}).run(ctx)
		return
	}
	debug.SetGCPercent(int(s.GCPercent))
}

// A gcPercent is Go's GOGC, "100" or "off", or "auto".
type gcPercent int

const (
	gcOff  gcPercent = -1
	gcAuto gcPercent = 0
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *gcPercent) UnmarshalText(text []byte) error {
	switch string(text) {
	case "off":
		*p = gcOff
		return nil
	case "auto":
		*p = gcAuto
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n <= 0 {
		return fmt.Errorf("%q is no percentage such as 100, nor off, nor auto", text)
	}
	*p = gcPercent(n)
	return nil
}

// String returns what UnmarshalText understands.
func (p gcPercent) String() string {
	switch p {
	case gcOff:
		return "off"
	case gcAuto:
		return "auto"
	}
	return strconv.Itoa(int(p))
}

// A memoryLimit is Go's GOMEMLIMIT: "2GiB", "off".
type memoryLimit int64

const (
	noMemoryLimit memoryLimit = math.MaxInt64
	// With less than this, nothing but garbage collection would take place.
	leastMemoryLimit = 16 << 20
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *memoryLimit) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*l = noMemoryLimit
		return nil
	}
	n, err := parseSize(text)
	if err == nil && n < leastMemoryLimit {
		err = fmt.Errorf("memory-limit %s: less than %s", text, formatSize(leastMemoryLimit))
	}
	*l = memoryLimit(n)
	return err
}

// String returns what UnmarshalText understands.
func (l memoryLimit) String() string {
	if l == noMemoryLimit {
		return "off"
	}
	return formatSize(int64(l))
}
