package nodes

import "testing"

// CheckInPieces has messages that ask about requests name so many each.
func CheckInPieces(t testing.TB, n int) {
	before := maxChecked
	maxChecked = n
	t.Cleanup(func() { maxChecked = before })
}

// TakeForDead has a node take another for dead until it hears it again.
func (n *Node) TakeForDead(name string) { n.absent(name) }
