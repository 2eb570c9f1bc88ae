package bus

import (
	"context"
	"slices"
)

// This file ends what a newer token does not allow any more.

// Refreshed implements [auth.Watcher]. What follows waits for the command that is
// being carried out: it may be the one that brought the token.
func (c *client) Refreshed() { go c.review() }

// review looks at all subscriptions. Those that cannot be judged now stay.
func (c *client) review() {
	c.turn.Lock()
	defer c.turn.Unlock()
	for _, s := range slices.Clone(c.subs) {
		switch {
		case c.forbids(OpSubscribe, s.topic.name):
			c.revoke(s)
		case s.visible.Load() != nil && c.forbids(OpPresence, s.topic.name):
			c.hide(s)
		}
	}
}

func (c *client) forbids(op Op, topic string) bool {
	err := c.authorize(op, topic)
	return err != nil && refusal(err).Code == Forbidden
}

// revoke ends a subscription, and tells the client why.
func (c *client) revoke(s *subscription) {
	s.stop() // nothing of the topic follows what the client is told
	c.tell("unsubscribed", OpSubscribe, s, func(i int) { c.subs = slices.Delete(c.subs, i, i+1) })
	c.left(s, s.visible.Load() != nil)
}

// hide has the client be seen no more by a subscription, and tells it why.
func (c *client) hide(s *subscription) {
	c.tell("hidden", OpPresence, s, func(int) { s.visible.Store(nil) })
	c.leave(s)
}

// tell tells the client that something ended, and makes the change that goes with
// it where the subscription is. The client hears of it as soon as it reads.
func (c *client) tell(what string, op Op, s *subscription, change func(i int)) {
	b := append(answer(what, nil, s.topic.name), `,"code":"`+string(Forbidden)+`","message":`...)
	b = append(appendString(b, string(op)+" is not allowed here any more"), '}')
	_, _ = c.send(c.ctx, b, nil, func() { // in vain only if the stream is over
		if i, ok := c.find(s.topic.name); ok {
			change(i)
		}
	}, nil)
}

// leave has the client be present no more by a subscription.
func (c *client) leave(s *subscription) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), leaveTimeout)
	defer cancel()
	if err := c.bus.engine.Leave(ctx, s.topic.name, c.member); err != nil {
		c.bus.opts.Logger.ErrorContext(ctx, "bus member not removed", "error", err)
	}
}
