package main

import (
	"fmt"
	"testing"
)

// The running program says in its metrics what the runtime was told.
func TestMemoryIsTuned(t *testing.T) {
	for _, test := range []struct {
		name    string
		env     map[string]string
		args    []string
		percent int
		limit   float64
	}{
		{name: "flags", args: []string{"--gc-percent=150", "--memory-limit=3GiB"}, percent: 150, limit: 3 << 30},
		{name: "Go's own variables", env: map[string]string{"GOGC": "77", "GOMEMLIMIT": "64MiB"}, percent: 77, limit: 64 << 20},
		{name: "flags before these", env: map[string]string{"GOGC": "77", "GOMEMLIMIT": "64MiB"}, args: []string{"--gc-percent=150", "--memory-limit=off"}, percent: 150, limit: float64(noMemoryLimit)},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			call(t, "GET", start(t, test.args...).url+"/metrics", "").wantBody(t,
				fmt.Sprintf("go_gc_gogc_percent %d\n", test.percent),
				fmt.Sprintf("go_gc_gomemlimit_bytes %v\n", test.limit))
		})
	}
}
