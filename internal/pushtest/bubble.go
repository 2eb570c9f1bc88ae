package pushtest

import (
	"testing"
	"testing/synctest"
)

// Bubble makes a subtest that runs in a bubble of its own.
func Bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}
