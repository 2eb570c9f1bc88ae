package bus

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// subscribe begins a subscription, or replaces one.
func (c *client) subscribe(cmd *command) error {
	old, err := c.maySubscribe(cmd)
	if err != nil {
		return err
	}
	readable, err := c.mayRead(cmd)
	if err != nil {
		return err
	}
	t, err := c.bus.acquire(c.ctx, cmd.topic)
	if err != nil {
		return err
	}
	if old >= 0 {
		s := c.subs[old]
		c.mu.Lock()
		c.subs = slices.Delete(c.subs, old, old+1)
		c.mu.Unlock()
		c.drop(s, s.visible.Load() != nil && cmd.presence == nil) // else the new info replaces the old
	}
	s := &subscription{client: c, topic: t}
	f := &follower{sub: s, holding: true}
	s.follow = f
	if cmd.presence != nil {
		s.visible.Store(c.asMember(cmd.topic, cmd.presence)) // before fan-out may look at it
	}
	f.at = t.attach(s)
	replay, b, err := c.subscribed(cmd, s.visible.Load(), f.at, readable)
	if err != nil {
		c.drop(s, s.visible.Load() != nil)
		return err
	}
	c.failed(f.begin(c.ctx, b, replay))
	return nil
}

// maySubscribe refuses what is not allowed, before anything is changed. It
// returns the index of the subscription to be replaced, or -1.
func (c *client) maySubscribe(cmd *command) (old int, err error) {
	if cmd.since != nil && cmd.history >= 0 {
		return -1, badRequest("since and history exclude each other")
	}
	if len(cmd.presence) > c.bus.opts.MaxInfo {
		c.bus.opts.Trace.limited("MaxInfo")
		return -1, &Error{Code: TooBig, Text: fmt.Sprintf("presence is longer than %d bytes", c.bus.opts.MaxInfo)}
	}
	if err := c.authorize(OpSubscribe, cmd.topic); err != nil {
		return -1, err
	}
	if cmd.presence != nil {
		if err := c.authorize(OpPresence, cmd.topic); err != nil {
			return -1, err
		}
	}
	if i, ok := c.find(cmd.topic); ok {
		return i, nil
	}
	if limit := c.bus.opts.MaxTopicsPerSession; len(c.subs) >= limit {
		c.bus.opts.Trace.limited("MaxTopicsPerSession")
		return -1, &Error{Code: TooManyTopics, Text: fmt.Sprintf("more than %d topics in the session", limit)}
	}
	return -1, nil
}

// subscribed asks the engine for what the answer to the command says, and for
// the messages that follow it.
func (c *client) subscribed(cmd *command, as *Member, at Position, readable bool) (Replay, []byte, error) {
	replay := Replay{Position: at, Recovered: true}
	q, err := c.query(cmd, at)
	switch {
	case err != nil:
		return replay, nil, err
	case !readable:
		replay.Recovered = *cmd.since == at
	case q != (Query{}):
		if replay, err = c.bus.engine.Read(c.ctx, cmd.topic, q); err != nil {
			return replay, nil, err
		}
	}
	b := appendPosition(answer("subscribed", cmd.ref, cmd.topic), replay.Position)
	if replay.Recovered {
		b = append(b, `,"recovered":true`...)
	} else {
		b = append(b, `,"recovered":false`...)
	}
	if as != nil {
		if b, err = c.join(cmd, as, b); err != nil {
			return replay, nil, err
		}
	}
	return replay, append(b, '}'), nil
}

// query returns what a subscription asks for besides what is still to come; nothing
// is the zero value.
func (c *client) query(cmd *command, at Position) (Query, error) {
	asked := Query{Since: cmd.since, Last: max(0, cmd.history)}
	engine, ok := c.bus.engine.(Rewinder)
	if asked.Since != nil || !c.again || !ok {
		return asked, nil
	}
	// What the client has published since it asked for the subscription is not its
	// past, whoever has carried that out.
	from, ok, err := engine.Rewind(c.ctx, cmd.topic, c.origin())
	switch {
	case err != nil || !ok || from.Epoch != at.Epoch || from.Offset >= at.Offset:
		return asked, err
	case asked.Last == 0:
		return Query{Since: &from}, nil
	}
	asked.Last += int(at.Offset - from.Offset)
	return asked, nil
}

// asMember returns how the client is to be seen.
func (c *client) asMember(topic string, info []byte) *Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Member{ID: c.public(), Info: slices.Clone(info), User: c.shown(topic)} // the frame is not kept for it
}

// public returns the client's public id, with the lock held.
func (c *client) public() string {
	if c.member == "" {
		c.member = uuid.NewString()
	}
	return c.member
}

// join makes the client present, and appends who is.
func (c *client) join(cmd *command, as *Member, b []byte) ([]byte, error) {
	if err := c.bus.engine.Join(c.ctx, cmd.topic, *as); err != nil {
		return nil, err
	}
	members, count, err := c.bus.engine.Members(c.ctx, cmd.topic, c.bus.opts.MaxMembers)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"member":`...)
	b = appendString(b, c.member)
	return appendMembers(b, members, count), nil
}
