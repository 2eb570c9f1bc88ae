package nodes

import "testing"

// CheckInPieces has messages that ask about requests name so many each.
func CheckInPieces(t testing.TB, n int) {
	before := maxChecked
	maxChecked = n
	t.Cleanup(func() { maxChecked = before })
}
