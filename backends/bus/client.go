package bus

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/transport"
)

// client is one stream of a session: the [transport.Receiver] that takes its
// commands. Receive and Close never overlap: only Suspend and Refreshed may come
// between.
type client struct {
	bus    *Bus
	stream *transport.Stream
	ctx    context.Context
	badge  *auth.Badge     // nil: nobody asks
	rates  map[int]*bucket // how fast it publishes, by the rules' indexes
	again  bool            // another process had it, and may have carried commands out already

	// Held in Receive and Close, and by who changes subscriptions besides.
	turn sync.Mutex

	// The lock is held while something is sent, and while what goes with that
	// changes, so that Suspend sees both or neither. Who changes something else
	// than with the turn, needs it to read, too.
	mu       sync.Mutex
	received uint64          // commands answered
	member   string          // its public id, made when it is first visible somewhere
	subs     []*subscription // by the topics' names
	debts    *debts          // nil: no receipts were ever wanted of it; then it never changes
}

// leaveTimeout bounds how long an engine may take to note that somebody left:
// the context of the session is over by then.
const leaveTimeout = 10 * time.Second

// Receive implements [transport.Receiver]. What is wrong with a message is
// answered; only a stream that takes no answer is over.
func (c *client) Receive(p []byte) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	cmd, err := c.bus.opts.parse(p)
	if err == nil {
		err = c.do(&cmd)
	}
	if err == nil || c.ctx.Err() != nil || errors.Is(err, transport.ErrStreamClosed) {
		return nil // Close says the rest
	}
	if t := endOf(err); t != nil {
		return t
	}
	e := refusal(err)
	c.bus.opts.Trace.refused(cmd.op, e.Code)
	if e.Code == Internal {
		c.bus.opts.Logger.ErrorContext(c.ctx, "bus command failed", "op", cmd.op, "error", err)
	}
	_, err = c.answer(errorMessage(cmd.ref, e), nil, nil)
	return err
}

// endOf returns the end of the session that an error is; nil: it is a refusal,
// whatever its cause.
func endOf(err error) (t *transport.Termination) {
	var refused *Error
	if !errors.As(err, &refused) {
		errors.As(err, &t)
	}
	return t
}

// Close implements [transport.Receiver]. Who goes on elsewhere is still present.
func (c *client) Close(err error) {
	if c.badge != nil {
		c.badge.Unwatch(c)
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	subs := c.subs
	c.subs = nil
	c.mu.Unlock()
	for _, s := range subs {
		c.drop(s, s.visible.Load() != nil && !errors.Is(err, transport.ErrElsewhere))
	}
	if c.badge != nil {
		c.badge.Release()
	}
}

func (c *client) do(cmd *command) error {
	switch cmd.op {
	case "subscribe", "unsubscribe", "publish", "presence":
	case "refresh":
		return c.refresh(cmd)
	case "":
		return badRequest("op is missing")
	default:
		return badRequest("op is unknown")
	}
	if err := c.bus.opts.checkTopic(cmd.topic); err != nil {
		return err
	}
	switch cmd.op {
	case "subscribe":
		return c.subscribe(cmd)
	case "unsubscribe":
		return c.unsubscribe(cmd)
	case "publish":
		return c.publish(cmd)
	}
	return c.presence(cmd)
}

func (c *client) publish(cmd *command) error {
	if err := c.authorize(OpPublish, cmd.topic); err != nil {
		return err
	}
	if err := c.mayPublish(cmd.topic); err != nil {
		return err
	}
	if cmd.receipts != "" {
		if err := c.mayReceipt(cmd.topic, cmd.receipts); err != nil {
			return inReceipts(err)
		}
	}
	p := Publication{Data: cmd.data, ID: cmd.id, Key: cmd.key, User: c.shown(cmd.topic), Receipts: cmd.receipts, Origin: c.origin()}
	done, err := c.bus.publish(c.ctx, cmd.topic, p, true)
	if err != nil {
		return err
	}
	b := append(answer("published", cmd.ref, cmd.topic), `,"offset":`...)
	b = strconv.AppendUint(b, done.Offset, 10)
	if done.Duplicate {
		b = append(b, `,"duplicate":true`...)
	}
	_, err = c.answer(append(b, '}'), nil, nil)
	return err
}

// origin names the command that is being carried out.
func (c *client) origin() Origin {
	return Origin{Session: c.stream.Session().ID(), Stream: c.stream.Name(), Number: c.received + 1}
}

func (c *client) presence(cmd *command) error {
	if err := c.authorize(OpPresence, cmd.topic); err != nil {
		return err
	}
	members, count, err := c.bus.Presence(c.ctx, cmd.topic)
	if err != nil {
		return err
	}
	_, err = c.answer(presenceMessage(cmd.ref, cmd.topic, members, count), nil, nil)
	return err
}

func (c *client) unsubscribe(cmd *command) error {
	i, ok := c.find(cmd.topic)
	if !ok {
		return &Error{Code: NotSubscribed, Text: "not subscribed to this topic"}
	}
	s := c.subs[i]
	s.stop() // nothing of the topic follows the answer
	_, err := c.answer(append(answer("unsubscribed", cmd.ref, cmd.topic), '}'), func() {
		c.subs = slices.Delete(c.subs, i, i+1)
	}, nil)
	c.left(s, s.visible.Load() != nil)
	return err
}

// find returns where the subscription to a topic is, or would be.
func (c *client) find(topic string) (i int, ok bool) {
	return slices.BinarySearchFunc(c.subs, topic, func(s *subscription, topic string) int {
		return strings.Compare(s.topic.name, topic)
	})
}

// drop ends a subscription that is no longer in c.subs.
func (c *client) drop(s *subscription, leave bool) {
	s.stop()
	c.left(s, leave)
}

// left lets go of the topic of a subscription that was stopped.
func (c *client) left(s *subscription, leave bool) {
	if leave {
		c.leave(s)
	}
	c.bus.release(s.topic)
}

// answer answers the command that is being carried out, and makes a change that
// goes with the answer. It waits for room, and with it Receive does: a client
// that reads no answers gets no further commands in.
func (c *client) answer(p []byte, change, release func()) (waited bool, err error) {
	return c.send(c.ctx, p, nil, func() {
		c.received++
		if change != nil {
			change()
		}
	}, release)
}

// send sends something, of which a receipt may be owed, and makes the change that goes with it, also when it is
// in vain. Before it has to wait for room it calls release. Both are called with
// the lock held.
func (c *client) send(ctx context.Context, p []byte, o *owed, change, release func()) (waited bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err = c.put(p, o); !errors.Is(err, transport.ErrFull) {
			change()
			return waited, err
		}
		if waited = true; release != nil {
			release()
		}
		c.mu.Unlock()
		err = c.stream.Room(ctx, len(p))
		c.mu.Lock()
		if err != nil {
			change()
			return waited, err
		}
	}
}

// failed takes the error of a follower. The session ends with it: its client
// is to know that messages are missing.
func (c *client) failed(err error) {
	var t *transport.Termination
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, transport.ErrStreamClosed):
		return
	case !errors.As(err, &t):
		c.bus.opts.Logger.ErrorContext(c.ctx, "bus subscriber not led back", "error", err)
		t = &transport.Termination{Condition: transport.BackendError, Err: err}
	}
	c.stream.Session().Terminate(t)
}
