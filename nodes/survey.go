package nodes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// This file asks all nodes for what each of them knows of itself only.

// Answers has f answer what other nodes ask with [Node.Survey]. It is called before
// Begin; f may be called by many goroutines at once.
func (n *Node) Answers(f func(question []byte) []byte) { n.respond = f }

// nodeHeader says which node asks, or answers.
const nodeHeader = "Mochibosh-Node"

// Survey asks all other nodes that are there, and returns what they answer. With an
// error, some of them have not: within twice Options.Timeout, in which one that is dead
// is found to be, or before the context was done.
func (n *Node) Survey(ctx context.Context, question []byte) (answers [][]byte, err error) {
	if n.settling() {
		return nil, errApart
	}
	ctx, cancel := context.WithTimeout(ctx, 2*n.opts.Timeout)
	defer cancel()
	missing := make(map[string]bool)
	for _, name := range n.Peers() {
		missing[name] = true
	}
	msg := nats.NewMsg(n.subject("survey"))
	msg.Reply = n.opts.Conn.NewInbox()
	msg.Header.Set(nodeHeader, n.opts.Name)
	msg.Data = question
	came := make(chan *nats.Msg, maxSurveyed)
	sub, err := n.opts.Conn.ChanSubscribe(msg.Reply, came)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe()
	if err := n.opts.Conn.PublishMsg(msg); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(n.opts.Beat)
	defer ticker.Stop()
	for len(missing) > 0 {
		select {
		case m := <-came:
			answers = append(answers, m.Data)
			delete(missing, m.Header.Get(nodeHeader))
		case <-ticker.C:
			maps.DeleteFunc(missing, func(name string, _ bool) bool { return !n.alive(name) })
		case <-ctx.Done():
			return answers, fmt.Errorf("nodes: no answer from %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
		}
	}
	return answers, nil
}

// maxSurveyed is how many answers may wait: more than there are nodes.
const maxSurveyed = 1024

// surveyed answers another node.
func (n *Node) surveyed(msg *nats.Msg) {
	if n.respond == nil || msg.Reply == "" || msg.Header.Get(nodeHeader) == n.opts.Name {
		return
	}
	go func() {
		answer := nats.NewMsg(msg.Reply)
		answer.Header.Set(nodeHeader, n.opts.Name)
		answer.Data = n.respond(msg.Data)
		if err := n.opts.Conn.PublishMsg(answer); err != nil {
			n.opts.Logger.Debug("nodes: a question not answered", "error", err)
		}
	}()
}
