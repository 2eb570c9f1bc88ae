package nodes

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// This file has a node let go of sessions that others have taken over. Whoever was
// taken for dead and is not is told, until it has heard it; and who finds that it was
// cut off looks at all that it has.

const (
	// maxOwed is how many sessions one message names.
	maxOwed = 1000
	// maxDebt is how many sessions one node is owed. Of more it learns by itself: it
	// cannot store them.
	maxDebt = 100_000
)

// A debt is what a node is to be told: which of its sessions went on here.
type debt struct {
	ids    []string
	paying bool
}

// owe notes that a session of a node was taken over. It is told when it is heard.
func (n *Node) owe(name, id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.debts[name]
	if d == nil {
		d = new(debt)
		n.debts[name] = d
	}
	if len(d.ids) < maxDebt {
		d.ids = append(d.ids, id)
	}
}

// pay tells a node that is there what it is owed.
func (n *Node) pay(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := n.debts[name]; d != nil && !d.paying {
		d.paying = true
		go n.payAll(name, d)
	}
}

func (n *Node) payAll(name string, d *debt) {
	for {
		n.mu.Lock()
		ids := slices.Clone(d.ids[:min(len(d.ids), maxOwed)])
		if len(ids) == 0 && n.debts[name] == d {
			delete(n.debts, name)
		}
		n.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		_, err := n.opts.Conn.Request(n.subject("node", name, "verify"), []byte(strings.Join(ids, " ")), n.opts.Timeout)
		n.mu.Lock()
		if err != nil {
			d.paying = false // the next time that it is heard
			n.mu.Unlock()
			n.opts.Logger.Debug("nodes: not told of sessions that went on here", "node", name, "error", err)
			return
		}
		d.ids = d.ids[len(ids):]
		n.mu.Unlock()
	}
}

// paid takes what other nodes have taken over.
func (n *Node) paid(msg *nats.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), n.opts.Timeout)
	defer cancel()
	err := n.manager.Verify(ctx, strings.Fields(string(msg.Data))...)
	if err == nil && msg.Reply != "" {
		err = msg.Respond(nil)
	}
	if err != nil {
		n.opts.Logger.Debug("nodes: whether sessions are still here is not known", "error", err)
	}
}

// doubt has all sessions be looked at, and prove themselves until the others have heard
// that this node is there.
func (n *Node) doubt() {
	n.manager.Doubt(n.opts.Timeout)
	select {
	case n.doubts <- struct{}{}:
	default:
	}
}

// lookAgain is when all sessions are looked at once more, in time-outs: who answered
// for the store may have been cut off, too, and others may have taken this node for
// dead until they heard it.
var lookAgain = []time.Duration{1, 4}

// verifies looks at all sessions when there is doubt.
func (n *Node) verifies(ctx context.Context) {
	var later <-chan time.Time
	var again []time.Duration
	for {
		select {
		case <-n.doubts:
			again = lookAgain
		case <-later:
		case <-ctx.Done():
			return
		}
		n.verifyAll(ctx)
		if later = nil; len(again) > 0 {
			later, again = time.After(again[0]*n.opts.Timeout), again[1:]
		}
	}
}

// verifyAll looks at all sessions until it is known of each whether it is still here.
func (n *Node) verifyAll(ctx context.Context) {
	for told := false; ; told = true {
		err := n.manager.Verify(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !told {
			n.opts.Logger.Warn("nodes: whether all sessions are still here is not known yet", "error", err)
		}
		select {
		case <-time.After(n.opts.Beat):
		case <-ctx.Done():
		}
	}
}
