package nodes

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// This file finds forwarded requests that got lost, or whose answer did: NATS does not
// promise to deliver. Now and then a node names to each other node those that wait for
// it, with how much of each answer has come, and is told which of them do not wait there,
// or have had more.

// checkEvery is how often, in time-outs.
const checkEvery = 2

// maxChecked bounds how many requests one message names; less in tests.
var maxChecked = 10_000

// checks goes on until the context is done.
func (n *Node) checks(ctx context.Context) {
	ticker := time.NewTicker(checkEvery * n.opts.Timeout)
	defer ticker.Stop()
	before := n.tokens.Load()
	for {
		select {
		case <-ticker.C:
			// What was sent since the last time may still be on its way.
			old := before
			before = n.tokens.Load()
			n.check(old)
		case <-ctx.Done():
			return
		}
	}
}

// check asks about all requests up to a number.
func (n *Node) check(upTo uint64) {
	byOwner := make(map[string][]question)
	n.out.Range(func(token, v any) bool {
		c := v.(*call)
		c.mu.Lock()
		if !c.over && c.number <= upTo {
			byOwner[c.owner] = append(byOwner[c.owner], question{token.(string), c.pieces})
		}
		c.mu.Unlock()
		return true
	})
	for owner, all := range byOwner {
		for questions := range slices.Chunk(all, maxChecked) {
			n.ask(owner, questions)
		}
	}
}

// A question is about a request.
type question struct {
	token  string
	pieces uint64 // of its answer that came
}

// piecesHeader has the pieces of each request, in the order of their tokens.
const piecesHeader = "Mochibosh-Pieces"

// ask asks a node about requests that wait for it.
func (n *Node) ask(owner string, questions []question) {
	tokens, pieces := make([]string, len(questions)), make([]string, len(questions))
	for i, q := range questions {
		tokens[i], pieces[i] = q.token, strconv.FormatUint(q.pieces, 10)
	}
	msg := &nats.Msg{
		Subject: n.subject("node", owner, "check"),
		Reply:   n.subject("back", n.opts.Name, n.life, checked),
		Header:  nats.Header{piecesHeader: {strings.Join(pieces, " ")}},
		Data:    []byte(strings.Join(tokens, " ")),
	}
	if err := n.opts.Conn.PublishMsg(msg); err != nil {
		n.opts.Logger.Debug("nodes: not asked about requests", "node", owner, "error", err)
	}
}

// checked stands in place of a token, which has no capital letters.
const checked = "CHECKED"

// missing answers which of the requests do not wait here.
func (n *Node) missing(msg *nats.Msg) {
	prefix, ok := strings.CutSuffix(msg.Reply, checked)
	if !ok {
		return
	}
	came := strings.Fields(msg.Header.Get(piecesHeader)) // none from an earlier version
	var missing []string
	for i, token := range strings.Fields(string(msg.Data)) {
		v, here := n.in.Load(prefix + token)
		if here && !(i < len(came) && v.(*reply).lostSome(came[i])) {
			continue
		}
		missing = append(missing, token)
	}
	if len(missing) > 0 {
		if err := msg.Respond([]byte(strings.Join(missing, " "))); err != nil {
			n.opts.Logger.Debug("nodes: no answer about requests", "error", err)
		}
	}
}

// lostSome reports whether a piece of the answer got lost, and then nobody waits for
// more. So many came; what was sent since the last time may still be on its way.
func (w *reply) lostSome(came string) bool {
	n, err := strconv.ParseUint(came, 10, 64)
	w.mu.Lock()
	lost := err == nil && n < w.checked
	w.checked = w.pieces
	w.mu.Unlock()
	if lost {
		w.gone()
	}
	return lost
}

// gotLost has the clients of requests that got lost repeat them.
func (n *Node) gotLost(tokens string) {
	for token := range strings.FieldsSeq(tokens) {
		if v, ok := n.out.Load(token); ok {
			v.(*call).fail(errLost)
		}
	}
}
