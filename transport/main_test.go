package transport

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain fails when a test leaves a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if leaked := leakedGoroutines(); code == 0 && leaked != "" {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n\n%s\n", leaked)
		code = 1
	}
	os.Exit(code)
}

// leakedGoroutines gives those that end a moment to do so.
func leakedGoroutines() (leaked string) {
	for patience := time.Now().Add(2 * time.Second); time.Now().Before(patience); runtime.Gosched() {
		buf := make([]byte, 1<<20)
		var ours []string
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "/transport.") && !strings.Contains(g, "transport.TestMain") {
				ours = append(ours, g)
			}
		}
		if leaked = strings.Join(ours, "\n\n"); leaked == "" {
			break
		}
	}
	return leaked
}

// bubble makes a subtest that runs in a bubble, where time is fake and passes
// only when every goroutine waits.
func bubble(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}
