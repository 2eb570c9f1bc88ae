package nodes

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
)

// This file knows who is there.

// A peer is another node, as far as it is heard.
type peer struct {
	life    string
	heard   time.Time // zero: nobody at NATS hears it
	last    time.Time // when it was heard, whoever hears it now
	buried  bool      // it was taken for dead
	leaving bool
}

// rememberFor is how long a node is known that is not there any more.
const rememberFor = time.Hour

// A beat says that a node is there.
type beat struct {
	Node    string `json:"node"`
	Life    string `json:"life"`
	Leaving bool   `json:"leaving,omitempty"`
}

func (n *Node) beat() {
	data, err := json.Marshal(beat{n.opts.Name, n.life, n.leaving.Load()})
	if err == nil {
		err = n.opts.Conn.Publish(n.subject("alive"), data)
	}
	if err != nil {
		n.opts.Logger.Debug("nodes: no sign of life sent", "error", err)
	}
}

// beats says that the node is there, and finds out when it was not.
func (n *Node) beats(ctx context.Context) {
	defer close(n.stopped)
	ticker := time.NewTicker(n.opts.Beat)
	defer ticker.Stop()
	connected := n.opts.Conn.StatusChanged(nats.CONNECTED)
	defer n.opts.Conn.RemoveStatusListener(connected) // its value of now
	for {
		n.beat()
		select {
		case <-ticker.C:
			n.look(time.Now())
		case _, open := <-connected:
			if !open { // for good
				connected = nil
				break
			}
			n.back()
		case <-ctx.Done():
			return
		}
	}
}

// hear takes a sign of life.
func (n *Node) hear(msg *nats.Msg) {
	var b beat
	if json.Unmarshal(msg.Data, &b) != nil || !ValidName(b.Node) {
		return
	}
	now := time.Now()
	if b.Node == n.opts.Name {
		n.hearSelf(now, &b)
		return
	}
	n.mu.Lock()
	p, known := n.peers[b.Node]
	if !known {
		p = new(peer)
		n.peers[b.Node] = p
	}
	came := p.life != b.Life || p.buried
	anew := p.life != "" && p.life != b.Life
	left := b.Leaving && !p.leaving
	cut := p.life == b.Life && now.Sub(p.last) > n.suspicious() && n.mostSilent(now)
	*p = peer{life: b.Life, heard: now, last: now, leaving: b.Leaving}
	if anew {
		delete(n.debts, b.Node) // its sessions went with the process before it
	}
	n.mu.Unlock()
	switch {
	case anew:
		n.lost(b.Node) // all that the process before it had
	case cut:
		n.opts.Logger.Warn("this node was cut off from the others")
		n.back()
	}
	n.pay(b.Node)
	switch {
	case came && !b.Leaving:
		n.opts.Logger.Info("node came", "node", b.Node)
		n.beat() // it wants to know who is there
	case left:
		n.opts.Logger.Info("node is leaving", "node", b.Node)
	}
}

// hearSelf takes the node's own sign of life. If the last one was long ago, others
// may have taken it for dead.
func (n *Node) hearSelf(now time.Time, b *beat) {
	if b.Life != n.life {
		n.opts.Logger.Error("another process has the name of this node", "node", b.Node)
		return
	}
	n.mu.Lock()
	away := now.Sub(n.heard)
	n.heard = now
	n.mu.Unlock()
	if away > n.suspicious() {
		n.opts.Logger.Warn("this node was cut off, or did not run", "for", away.Round(time.Millisecond))
		n.back()
	}
}

// suspicious is how long a silence is in which others may have taken this node for
// dead: they may have heard it a beat before it heard them.
func (n *Node) suspicious() time.Duration { return n.opts.Timeout - n.opts.Beat }

// mostSilent reports whether most of the others are not heard: then it is this node
// that is cut off from them, with the server of NATS that it has. With the lock held.
func (n *Node) mostSilent(now time.Time) bool {
	silent, all := 0, 0
	for _, p := range n.peers {
		if p.life == "" || p.leaving {
			continue
		}
		if all++; now.Sub(p.last) > n.suspicious() {
			silent++
		}
	}
	return 2*silent > all
}

// back is when the node is back among the others: what it knows of them is old, and
// what it has may be theirs.
func (n *Node) back() {
	n.mu.Lock()
	n.since = time.Now()
	n.rejoin = n.since
	n.mu.Unlock()
	n.doubt()
}

// look finds out whether the others are there, and who is not.
func (n *Node) look(now time.Time) {
	n.mu.Lock()
	connected := n.connected(now)
	back := connected && n.apart
	n.apart = !connected
	n.mu.Unlock()
	if back {
		n.opts.Logger.Warn("this node is among the others again")
		n.back()
	}
	n.bury(now)
}

// connected reports whether the node hears itself, and as many others as it has to;
// with the lock held.
func (n *Node) connected(now time.Time) bool {
	fresh := n.opts.Timeout / 2
	if now.Sub(n.heard) > fresh {
		return false
	}
	count := 1
	for _, p := range n.peers {
		if now.Sub(p.heard) <= fresh {
			count++
		}
	}
	return count >= n.opts.Quorum
}

// settling reports whether the node is not among the others, or only just again. What
// it has to forward then may have waited in its sockets all the time, and its client
// may have gone on elsewhere.
func (n *Node) settling() bool {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.connected(now) || now.Sub(n.rejoin) < n.opts.Beat
}

// bury finds out which nodes are dead, and has others answer what they did not.
func (n *Node) bury(now time.Time) {
	var dead, silent []string
	n.mu.Lock()
	if n.sure(now) {
		for name, p := range n.peers {
			switch {
			case now.Sub(p.heard) <= n.opts.Timeout:
			case !p.buried:
				p.buried = true
				dead = append(dead, name)
				if !p.heard.IsZero() { // else it was told that it is absent
					silent = append(silent, name)
				}
			case now.Sub(p.last) > rememberFor:
				delete(n.peers, name)
				delete(n.debts, name)
			}
		}
	}
	n.mu.Unlock()
	for _, name := range silent {
		n.opts.Logger.Warn("node is silent, and taken for dead", "node", name)
	}
	for _, name := range dead {
		n.lost(name)
	}
}

// absent says that nobody at NATS hears a node.
func (n *Node) absent(name string) {
	n.mu.Lock()
	p, known := n.peers[name]
	if !known {
		p = new(peer)
		n.peers[name] = p
	}
	p.heard = time.Time{}
	n.mu.Unlock()
	if known {
		n.opts.Logger.Warn("node is not connected, and taken for dead", "node", name)
	}
}

// sure reports whether what is heard of the others can be relied on; with the lock
// held.
func (n *Node) sure(now time.Time) bool {
	return n.connected(now) && now.Sub(n.since) >= n.opts.Timeout
}

// alive reports whether a node is there, as far as is known: who is not sure takes
// nobody for dead that it has not found absent.
func (n *Node) alive(name string) bool {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[name]
	if p == nil {
		return !n.sure(now)
	}
	if p.heard.IsZero() {
		return false
	}
	return now.Sub(p.heard) <= n.opts.Timeout || !n.sure(now)
}

// staying reports whether a node is there, and not about to leave.
func (n *Node) staying(name string) bool {
	if !n.alive(name) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[name]
	return p == nil || !p.leaving
}

// Connected reports whether the node is among the others, and has been for a moment.
// If not, requests had better go elsewhere.
func (n *Node) Connected() bool { return n.opts.Conn.IsConnected() && !n.settling() }

// Peers returns the names of the other nodes that are there.
func (n *Node) Peers() []string {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for name, p := range n.peers {
		if now.Sub(p.heard) <= n.opts.Timeout && !p.leaving {
			names = append(names, name)
		}
	}
	return names
}
