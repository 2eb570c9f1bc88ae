package jetstream

import (
	"testing"
	"time"
)

// Hasten has processes be taken for dead sooner, in engines made later.
func Hasten(t *testing.T, away time.Duration) {
	old, oldEvery := awayAfter, aliveEvery
	awayAfter, aliveEvery = away, away/8
	t.Cleanup(func() { awayAfter, aliveEvery = old, oldEvery })
}
