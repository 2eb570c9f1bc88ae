package nodes

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/transport"
)

// A Node is this process among the others. All methods may be called from many
// goroutines at once.
type Node struct {
	opts    Options
	life    string // of this process, to tell it from one of the same name
	manager *transport.Manager
	handler http.Handler
	subs    []*nats.Subscription
	cancel  context.CancelFunc
	stopped chan struct{}
	leaving atomic.Bool

	mu      sync.Mutex
	peers   map[string]*peer
	since   time.Time         // when it began to listen to the others, uninterrupted
	heard   time.Time         // when it last heard itself
	apart   bool              // it does not hear the others
	rejoin  time.Time         // when it heard them again
	from    map[string]string // owners of sessions that are about to be taken over
	fetched map[string]bool   // sessions whose owner was asked to let go of them

	out      sync.Map // *call by token: requests of ours at other nodes
	in       sync.Map // *reply by subject: requests of others here
	waiting  atomic.Int64
	serving  atomic.Int64
	tokens   atomic.Uint64
	counters counters
}

// A peer is another node, as far as it is heard.
type peer struct {
	life    string
	heard   time.Time
	leaving bool
}

// Join makes this process a node. It can be asked for its [Node.Store] at once,
// and serves and forwards from [Node.Begin] on.
func Join(o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Node{
		opts:    o,
		life:    uuid.NewString(),
		stopped: make(chan struct{}),
		peers:   make(map[string]*peer),
		from:    make(map[string]string),
		fetched: make(map[string]bool),
	}, nil
}

// Name returns the node's name.
func (n *Node) Name() string { return n.opts.Name }

// NewID returns an id for a session: for transport.Options.NewID.
func (n *Node) NewID() string { return uuid.NewString() + "." + n.opts.Name }

// Begin has the node be there for the others: what they forward to it h serves,
// which knows the sessions of the manager.
func (n *Node) Begin(m *transport.Manager, h http.Handler) error {
	n.manager, n.handler = m, h
	for subject, f := range map[string]nats.MsgHandler{
		n.subject("alive"):                          n.hear,
		n.subject("node", n.opts.Name):              n.take,
		n.subject("node", n.opts.Name, "*"):         n.told,
		n.subject("back", n.opts.Name, n.life, "*"): n.answered,
	} {
		sub, err := n.opts.Conn.Subscribe(subject, f)
		if err != nil {
			n.unsubscribe()
			return err
		}
		n.subs = append(n.subs, sub)
	}
	now := time.Now()
	n.mu.Lock()
	n.since, n.heard = now, now
	n.mu.Unlock()
	if err := n.opts.Conn.FlushTimeout(n.opts.Timeout); err != nil {
		n.unsubscribe()
		return err
	}
	beating, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go n.beats(beating)
	go n.checks(beating)
	return nil
}

// Leave tells the others that this node goes away: what it saves from now on
// belongs to whoever is asked first. It goes on serving what it has.
func (n *Node) Leave() {
	n.leaving.Store(true)
	n.beat()
}

// Close has the node be gone.
func (n *Node) Close() {
	n.Leave()
	if n.cancel != nil {
		n.cancel()
		<-n.stopped
	}
	n.unsubscribe()
	n.out.Range(func(_, c any) bool {
		c.(*call).fail(errGone)
		return true
	})
}

func (n *Node) unsubscribe() {
	for _, s := range n.subs {
		_ = s.Unsubscribe() // the connection may be closed
	}
}

func (n *Node) subject(parts ...string) string {
	s := n.opts.Prefix
	for _, p := range parts {
		s += "." + p
	}
	return s
}

// ---- who is there

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
	came := !known || p.life != b.Life
	anew := known && came && p.life != ""
	left := b.Leaving && !p.leaving
	p.life, p.heard, p.leaving = b.Life, now, b.Leaving
	n.mu.Unlock()
	if anew {
		n.lost(b.Node) // all that the process before it had
	}
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
	if away > n.opts.Timeout/2 {
		n.opts.Logger.Warn("this node was cut off, or did not run", "for", away.Round(time.Millisecond))
		n.back()
	}
}

// back is when the node is back among the others: what it knows of them is old, and
// what it has may be theirs.
func (n *Node) back() {
	n.mu.Lock()
	n.since = time.Now()
	n.rejoin = n.since
	n.mu.Unlock()
	go n.verify()
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

// verify lets go of sessions that others have taken over.
func (n *Node) verify(ids ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.manager.Verify(ctx, ids...); err != nil {
		n.opts.Logger.Warn("nodes: whether all sessions are still here is not known", "error", err)
	}
}

// bury forgets nodes that are dead, and has others answer what they did not.
func (n *Node) bury(now time.Time) {
	var dead []string
	n.mu.Lock()
	if n.sure(now) {
		for name, p := range n.peers {
			if now.Sub(p.heard) > n.opts.Timeout {
				delete(n.peers, name)
				dead = append(dead, name)
			}
		}
	}
	n.mu.Unlock()
	for _, name := range dead {
		n.opts.Logger.Warn("node is silent, and taken for dead", "node", name)
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
