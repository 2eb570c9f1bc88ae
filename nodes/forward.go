package nodes

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/internal/park"
)

// This file is the node with the client: it forwards requests and answers with
// what comes back.

// maxHops bounds how many nodes pass a request on: its session may be on its way.
const maxHops = 4

type hopsKey struct{}

// hopsOf returns how many nodes have passed on the request of a context.
func hopsOf(ctx context.Context) byte {
	hops, _ := ctx.Value(hopsKey{}).(byte)
	return hops
}

var (
	errGone   = errors.New("the node with the session is gone")
	errHops   = errors.New("the session is on its way")
	errMany   = errors.New("too many requests wait for other nodes")
	errTooBig = errors.New("larger than a message may be")
	errApart  = errors.New("this node is not among the others, or was not a moment ago")
	errLost   = errors.New("the request, or its answer, got lost")
	errGap    = errors.New("a part of the answer got lost")
	errSlow   = errors.New("the node with the session takes too long")
)

// A call is a request that another node answers.
type call struct {
	node   *Node
	w      http.ResponseWriter
	parked park.Writer // w, where nobody waits
	timer  *time.Timer // until the answer begins

	mu      sync.Mutex
	owner   string
	number  uint64
	token   string // the same as text
	request []byte // to be sent once more; nil: the answer has begun
	begun   bool
	over    bool
	pieces  uint64 // of the answer
	came    uint64 // its bytes
	told    uint64 // how many of them the owner knows to be taken
	queue   []piece
	ready   chan struct{} // there is something in the queue; nil: nobody waits
}

// Forward passes a request on to the node that has its session, and answers with
// what that answers: for the Forward options of carriers. It is safe to repeat: if
// the owner dies, whoever takes the session over answers.
func (n *Node) Forward(w http.ResponseWriter, r *http.Request, owner string) {
	clear(w.Header()) // the answer has its own
	hops := hopsOf(r.Context()) + 1
	switch {
	case hops > maxHops:
		n.refuse(w, errHops)
		return
	case n.settling():
		n.refuse(w, errApart)
		return
	}
	if n.waiting.Add(1) > int64(n.opts.MaxForwards) {
		n.waiting.Add(-1)
		n.refuse(w, errMany)
		return
	}
	message, err := n.message(r, hops)
	if err != nil {
		n.waiting.Add(-1)
		n.refuse(w, err)
		return
	}
	c := &call{node: n, w: w, owner: owner, request: message}
	if pw, ok := w.(park.Writer); ok {
		c.parked = pw
		pw.Park(park.Events{Gone: c.gone, Behind: c.behind, Drained: c.drained})
	} else {
		c.ready = make(chan struct{}, 1)
	}
	n.counters.forwarded.Add(1)
	c.mu.Lock()
	c.timer = time.AfterFunc(n.opts.AnswerWait, func() { c.fail(errSlow) })
	c.send()
	c.mu.Unlock()
	if c.ready != nil {
		c.wait(r.Context())
	}
}

// message returns a request as other nodes read it.
func (n *Node) message(r *http.Request, hops byte) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	message, err := (&request{hops, headOf(r), body}).append(nil)
	if err == nil && int64(len(message)) > n.opts.Conn.MaxPayload() {
		err = errTooBig
	}
	return message, err
}

// refuse answers that the request is to be repeated.
func (n *Node) refuse(w http.ResponseWriter, err error) {
	n.counters.failed.Add(1)
	n.opts.Logger.Warn("request not forwarded", "error", err)
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "The server with this session does not answer.", http.StatusServiceUnavailable)
}

// send sends the request to whom it takes for the owner; with the lock held.
func (c *call) send() {
	n := c.node
	c.number = n.tokens.Add(1)
	c.token = strconv.FormatUint(c.number, 36)
	n.out.Store(c.token, c)
	if err := n.opts.Conn.PublishRequest(n.subject("node", c.owner), c.inbox(), c.request); err != nil {
		c.failLocked(err)
	}
}

// inbox is where the answer is sent to.
func (c *call) inbox() string {
	return c.node.subject("back", c.node.opts.Name, c.node.life, c.token)
}

// answered takes a piece of an answer.
func (n *Node) answered(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	if token == checked {
		n.gotLost(string(msg.Data))
		return
	}
	v, ok := n.out.Load(token)
	if !ok {
		return // of a request that is over
	}
	c := v.(*call)
	if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" { // nobody hears that node
		c.mu.Lock()
		owner := c.owner
		c.mu.Unlock()
		n.absent(owner)
		n.lost(owner)
		return
	}
	p, err := parsePiece(msg.Data)
	if err != nil {
		c.fail(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case p.n != c.pieces && p.flags&pieceRefused == 0:
		c.failLocked(errGap)
	case c.ready == nil:
		c.pieces++
		c.say(p)
	default:
		c.pieces++
		c.queue = append(c.queue, p)
		select {
		case c.ready <- struct{}{}:
		default:
		}
	}
}

// wait answers as pieces come. Writing may take as long as the client does.
func (c *call) wait(ctx context.Context) {
	for {
		select {
		case <-c.ready:
		case <-ctx.Done():
			c.gone()
			return
		}
		c.mu.Lock()
		for len(c.queue) > 0 && !c.over {
			p := c.queue[0]
			c.queue = c.queue[1:]
			c.say(p)
		}
		over := c.over
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// say writes a piece; with the lock held, but for writing that may take time.
func (c *call) say(p piece) {
	if p.flags&pieceHead != 0 || p.flags&pieceRefused != 0 {
		if c.begun { // by another that had the session
			c.end()
			return
		}
		c.begun, c.request = true, nil
		c.timer.Stop()
	}
	flush := p.flags&(pieceEnd|pieceRefused) == 0
	ok := true
	c.write(func() { ok = c.node.write(c.w, p, flush) })
	if !ok || !flush {
		c.end()
		return
	}
	c.came += uint64(len(p.data))
	if c.parked == nil || c.parked.Drained() {
		c.taken()
	}
}

// write lets go of the lock where f may wait for the client.
func (c *call) write(f func()) {
	if c.ready != nil {
		c.mu.Unlock()
		defer c.mu.Lock()
	}
	f()
}

// write writes a piece of an answer, and reports whether that went well.
func (n *Node) write(w http.ResponseWriter, p piece, flush bool) bool {
	if p.flags&pieceRefused != 0 {
		n.refuse(w, errGone)
		return true
	}
	rc := http.NewResponseController(w)
	if p.flags&pieceHead != 0 {
		maps.Copy(w.Header(), p.head.Header)
		// The server's own write time-out counts from the request. Writers that
		// know no deadlines do without.
		_ = rc.SetWriteDeadline(time.Time{})
		w.WriteHeader(p.head.Status)
	}
	if len(p.data) > 0 {
		if _, err := w.Write(p.data); err != nil {
			return false
		}
	}
	return !flush || rc.Flush() == nil
}

// end is the end of the answer, or of the wait for it.
func (c *call) end() {
	if c.over {
		return
	}
	c.over = true
	c.timer.Stop()
	c.node.out.Delete(c.token)
	c.node.waiting.Add(-1)
	if c.parked != nil {
		c.parked.Finish()
	}
}

// taken tells the owner what the client has taken, now and then.
func (c *call) taken() {
	if c.came-c.told >= ackEvery {
		c.told = c.came
		c.tell(newsTaken, c.came)
	}
}

func (c *call) tell(what byte, taken uint64) {
	m := news{what, taken, c.inbox()}
	c.node.tell(c.owner, "about", m.append(nil))
}

func (c *call) drained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && c.parked.Drained() {
		c.taken()
	}
}

func (c *call) behind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.tell(newsBehind, 0)
	}
}

// gone takes the client off its request.
func (c *call) gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.tell(newsGone, 0)
		c.end()
	}
}

func (c *call) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(err)
}

// failLocked has the client repeat its request, or, where the answer has begun,
// ask for what follows.
func (c *call) failLocked(err error) {
	if c.over {
		return
	}
	c.node.opts.Logger.Debug("nodes: forwarded request not answered", "owner", c.owner, "error", err)
	if errors.Is(err, errSlow) {
		c.tell(newsGone, 0)
	}
	p := piece{flags: pieceRefused | pieceEnd}
	if c.ready == nil {
		c.say(p)
		return
	}
	c.queue = append(c.queue, p)
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// lost has the requests that a node did not answer be answered by another: first
// by this one, which finds out who has the session now. What waits here for that
// node's clients does so no longer.
func (n *Node) lost(node string) {
	n.out.Range(func(_, v any) bool {
		v.(*call).ownerLost(node)
		return true
	})
	prefix := n.subject("back", node) + "."
	n.in.Range(func(subject, v any) bool {
		if strings.HasPrefix(subject.(string), prefix) {
			v.(*reply).gone()
		}
		return true
	})
}

func (c *call) ownerLost(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.owner != node {
		return
	}
	if c.request == nil || node == c.node.opts.Name || c.request[1] >= maxHops {
		c.failLocked(errGone)
		return
	}
	c.node.out.Delete(c.token) // whatever the lost one still says
	c.owner, c.pieces = c.node.opts.Name, 0
	c.request[1]++
	c.send()
}
