package nodes

import (
	"context"
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
	respond func(question []byte) []byte // nil: nothing
	subs    []*nats.Subscription
	cancel  context.CancelFunc
	stopped chan struct{}
	leaving atomic.Bool

	mu     sync.Mutex
	peers  map[string]*peer
	since  time.Time         // when it began to listen to the others, uninterrupted
	heard  time.Time         // when it last heard itself
	apart  bool              // it does not hear the others
	rejoin time.Time         // when it heard them again
	from   map[string]string // owners of sessions that are about to be taken over
	debts  map[string]*debt  // by the node that is to be told what was taken over from it

	doubts chan struct{} // has a value in it when sessions here may be others' by now

	out      sync.Map // *call by token: requests of ours at other nodes
	in       sync.Map // *reply by subject: requests of others here
	waiting  atomic.Int64
	serving  atomic.Int64
	tokens   atomic.Uint64
	counters counters
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
		debts:   make(map[string]*debt),
		doubts:  make(chan struct{}, 1),
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
	now := time.Now() // before it hears itself: others have it say that it is there
	n.mu.Lock()
	n.since, n.heard = now, now
	n.mu.Unlock()
	for subject, f := range map[string]nats.MsgHandler{
		n.subject("alive"):                          n.hear,
		n.subject("survey"):                         n.surveyed,
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
	if err := n.opts.Conn.FlushTimeout(n.opts.Timeout); err != nil {
		n.unsubscribe()
		return err
	}
	beating, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go n.beats(beating)
	go n.checks(beating)
	go n.verifies(beating)
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
