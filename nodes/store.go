package nodes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/transport"
)

// This file knows whose a session is.

// A record is what is stored of a session: the version of the format, the owner,
// and the snapshot. An empty owner is nobody: whoever is asked first may have it.
const recordVersion = 1

func appendRecord(dst []byte, owner string, snapshot []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.AppendUvarint(dst, uint64(len(owner)))
	dst = append(dst, owner...)
	return append(dst, snapshot...)
}

var errRecord = fmt.Errorf("%w: what is stored has no owner", transport.ErrSnapshot)

func parseRecord(data []byte) (owner string, snapshot []byte, err error) {
	if len(data) == 0 || data[0] != recordVersion {
		return "", nil, errRecord
	}
	size, k := binary.Uvarint(data[1:])
	if k <= 0 || size > uint64(len(data)-1-k) {
		return "", nil, errRecord
	}
	rest := data[1+k:]
	owner = string(rest[:size])
	if owner != "" && !ValidName(owner) {
		return "", nil, errRecord
	}
	return owner, rest[size:], nil
}

// Store returns a store in which this node's sessions are its own, on top of one
// that all nodes share. It is a transport.Fetcher.
func (n *Node) Store(shared transport.Store) transport.Store { return &store{n, shared} }

type store struct {
	node   *Node
	shared transport.Store
}

// Load implements transport.Store.
func (s *store) Load(ctx context.Context, id string) ([]byte, uint64, error) {
	n := s.node
	maker, released := makerOf(id), transport.ReleasedBy(ctx)
	guess := hopsOf(ctx) == 0 && released == "" && maker != n.opts.Name && ValidName(maker)
	if guess && n.staying(maker) {
		return nil, 0, &transport.Owned{By: maker} // most are where they were made
	}
	data, revision, err := s.shared.Load(ctx, id)
	if guess && errors.Is(err, transport.ErrNoSession) && n.alive(maker) {
		return nil, 0, &transport.Owned{By: maker} // it stores nothing of it
	}
	if err != nil {
		return nil, 0, err
	}
	owner, snapshot, err := parseRecord(data)
	if err != nil {
		return nil, 0, err
	}
	if owner != n.opts.Name && owner != "" {
		if owner != released && n.alive(owner) {
			return nil, 0, &transport.Owned{By: owner}
		}
		n.mu.Lock()
		n.from[id] = owner
		n.mu.Unlock()
	}
	return snapshot, revision, nil
}

// makerOf returns the node that made a session.
func makerOf(id string) string { return id[strings.LastIndexByte(id, '.')+1:] }

type heirKey struct{}

// Save implements transport.Store.
func (s *store) Save(ctx context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	n := s.node
	owner, given := ctx.Value(heirKey{}).(string)
	if !given {
		owner = n.opts.Name
		if n.leaving.Load() {
			owner = ""
		}
	}
	next, err := s.shared.Save(ctx, id, appendRecord(make([]byte, 0, len(snapshot)+40), owner, snapshot), revision)
	n.mu.Lock()
	before, taken := n.from[id]
	delete(n.from, id)
	n.mu.Unlock()
	if taken && err == nil {
		n.counters.takenOver.Add(1)
		n.owe(before, id)
	}
	return next, err
}

// Delete implements transport.Store.
func (s *store) Delete(ctx context.Context, id string, revision uint64) error {
	return s.shared.Delete(ctx, id, revision)
}

// fetchWait is how long the owner of a session may take to let go of it.
const fetchWait = 5 * time.Second

// Fetch implements transport.Fetcher.
func (s *store) Fetch(ctx context.Context, id, owner string) error {
	n := s.node
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	go n.whileAlive(ctx, owner, cancel)
	answer, err := n.opts.Conn.RequestWithContext(ctx, n.subject("node", owner, "release"), []byte(n.opts.Name+" "+id))
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		n.absent(owner)
	case err != nil && !n.alive(owner):
	case err != nil:
		return fmt.Errorf("nodes: %s does not let go of a session: %w", owner, err)
	case string(answer.Data) == releaseFixed:
		return transport.ErrFixed
	case len(answer.Data) > 0:
		return fmt.Errorf("nodes: %s does not let go of a session: %.100s", owner, answer.Data)
	}
	return nil
}

// whileAlive cancels when a node is taken for dead.
func (n *Node) whileAlive(ctx context.Context, node string, cancel func()) {
	ticker := time.NewTicker(n.opts.Beat)
	defer ticker.Stop()
	for n.alive(node) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
	cancel()
}

const releaseFixed = "fixed"

// release lets go of a session that another node asks for.
func (n *Node) release(msg *nats.Msg) {
	heir, id, _ := strings.Cut(string(msg.Data), " ")
	if !ValidName(heir) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), heirKey{}, heir), fetchWait)
	defer cancel()
	err := n.manager.Release(ctx, id)
	switch {
	case err == nil, errors.Is(err, transport.ErrNoSession):
		err = msg.Respond(nil)
	case errors.Is(err, transport.ErrFixed):
		err = msg.Respond([]byte(releaseFixed))
	default:
		n.opts.Logger.Warn("nodes: session not let go of", "for", heir, "error", err)
		err = msg.Respond([]byte(err.Error()))
	}
	if err != nil {
		n.opts.Logger.Debug("nodes: no answer to who asked for a session", "error", err)
	}
}

// told takes what other nodes want to be known.
func (n *Node) told(msg *nats.Msg) {
	switch what := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]; what {
	case "release":
		go n.release(msg)
	case "verify":
		go n.paid(msg)
	case "about":
		n.about(msg.Data)
	case "check":
		n.missing(msg)
	}
}

// tell tells another node something, which may get lost.
func (n *Node) tell(node, what string, data []byte) {
	if err := n.opts.Conn.Publish(n.subject("node", node, what), data); err != nil {
		n.opts.Logger.Debug("nodes: not told", "node", node, "what", what, "error", err)
	}
}
