package bus

import (
	"context"
	"encoding/json"

	"github.com/mochibosh/mochibosh/transport"
)

// A token is what a client of the bus is, outside of the process: a new field is
// one that older tokens leave out.
type token struct {
	Received uint64         `json:"received,omitempty"`
	Member   string         `json:"member,omitempty"`
	Topics   []savedTopic   `json:"topics,omitempty"`
	Receipts []savedReceipt `json:"receipts,omitempty"`
}

type savedTopic struct {
	Topic string `json:"topic"`
	Position
	Info json.RawMessage `json:"info,omitempty"` // there: it is present
}

// Suspend implements [transport.Suspender].
func (c *client) Suspend(save func(token []byte, received uint64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := token{Received: c.received, Member: c.member, Topics: make([]savedTopic, len(c.subs)), Receipts: c.debts.saved()}
	for i, s := range c.subs {
		t.Topics[i] = savedTopic{Topic: s.topic.name, Position: s.position()}
		if m := s.visible.Load(); m != nil {
			t.Topics[i].Info = m.Info
		}
	}
	b, err := json.Marshal(&t)
	if err != nil {
		c.bus.opts.Logger.Error("bus client cannot be suspended", "error", err)
	}
	save(b, c.received)
}

// Resume implements [transport.Resumer]: the client goes on after the messages
// that it was told, with those that its topics have since. Whose session it
// is, the session knows; nobody is asked whether it still may. While an engine
// cannot be reached, or has no room, the error is *Suspended.
func (b *Bus) Resume(ctx context.Context, st *transport.Stream, saved []byte) (transport.Receiver, error) {
	var t token
	if err := json.Unmarshal(saved, &t); err != nil {
		return nil, &transport.Termination{Condition: transport.Internal, Text: "the stream cannot be resumed", Err: err}
	}
	c := &client{bus: b, stream: st, ctx: ctx, received: t.Received, member: t.Member, again: true}
	if err := c.bind(); err != nil {
		return nil, err
	}
	if err := c.resumeAll(t.Topics); err != nil {
		c.Close(err)
		if passes(err) {
			b.opts.Logger.WarnContext(ctx, "bus client not resumed yet", "error", err)
			return nil, &transport.Suspended{After: engineRetry}
		}
		return nil, &transport.Termination{Condition: transport.BackendError, Text: "the stream cannot be resumed", Err: err}
	}
	c.owesStill(t.Receipts)
	return c, nil
}

func (c *client) resumeAll(topics []savedTopic) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.badge != nil {
		c.badge.Watch(c) // a newer token may come at once
	}
	for i := range topics {
		if err := c.resume(&topics[i]); err != nil {
			return err
		}
	}
	return nil
}

// resume begins a subscription again.
func (c *client) resume(saved *savedTopic) error {
	t, err := c.bus.acquire(c.ctx, saved.Topic)
	if err != nil {
		return err
	}
	s := &subscription{client: c, topic: t, at: saved.Position}
	if saved.Info != nil {
		s.visible.Store(&Member{ID: c.member, Info: saved.Info, User: c.shown(saved.Topic)})
	}
	c.mu.Lock()
	c.subs = append(c.subs, s) // they were in order
	if t.attach(s) != s.at {
		s.fallBehind(s.at, false)
	}
	c.mu.Unlock()
	if m := s.visible.Load(); m != nil {
		return c.bus.engine.Join(c.ctx, t.name, *m)
	}
	return nil
}
