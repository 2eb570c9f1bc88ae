//go:build linux

package main

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// A few seconds of it leave nothing behind, whatever the clients do.
func TestNothingIsLeft(t *testing.T) {
	r, err := soak(t.Context(), settings{length: 3 * time.Second, rate: 25, life: 2 * time.Second, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.check(); err != nil {
		stacks := make([]byte, 1<<20)
		t.Errorf("%v\n%s\n%s", err, r.tables(), stacks[:runtime.Stack(stacks, true)])
	}
	if len(r.visits) != len(kinds) || len(r.farewells) != int(farewells) || r.messages == 0 {
		t.Errorf("little happened:\n%s", r.tables())
	}
}

func TestFiguresAreCompared(t *testing.T) {
	before := figures{goroutines: 10, descriptors: 5, heap: 1 << 20}
	for _, tt := range []struct {
		name  string
		after figures
		want  string
	}{
		{"the same", before, ""},
		{"less", figures{9, 4, 1 << 19}, ""},
		{"a goroutine", figures{11, 5, 1 << 20}, "11 goroutines, there were 10"},
		{"a descriptor", figures{10, 6, 1 << 20}, "6 descriptors, there were 5"},
		{"a heap within the slack", figures{10, 5, 2 << 20}, ""},
		{"a heap above it", figures{10, 5, 3 << 20}, "a heap of 3145728 bytes"},
	} {
		if err := tt.after.within(before); err == nil != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
