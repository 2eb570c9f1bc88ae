package bus

import (
	"errors"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// bind finds out whose session it is.
func (c *client) bind() (err error) {
	if g := c.bus.opts.Guard; g != nil {
		c.badge, err = g.Bind(c.ctx, c.stream)
	}
	return err
}

// authorize asks whether the client may do something.
func (c *client) authorize(op Op, topic string) error {
	if c.badge != nil {
		if err := c.badge.Authorize(c.ctx, auth.Capability(op), topic); err != nil {
			return denied(err)
		}
	}
	if op == OpPresence && c.bus.opts.rule(topic).NoPresence {
		return &Error{Code: Forbidden, Text: "nobody is seen in this topic"}
	}
	ask := c.bus.opts.Authorize
	if ask == nil {
		return nil
	}
	err := ask(c.ctx, c.stream, op, topic)
	if err == nil {
		return nil
	}
	text := string(op) + " is not allowed here"
	if e, ok := err.(*Error); ok {
		text = e.Text
	}
	return &Error{Code: Forbidden, Text: text, Err: err}
}

// mayPublish asks the topic's rule.
func (c *client) mayPublish(topic string) error {
	i := c.bus.opts.find(topic)
	if i < 0 {
		return nil
	}
	switch r := &c.bus.opts.Topics[i]; {
	case r.ServerOnly:
		return &Error{Code: Forbidden, Text: "clients do not publish here"}
	case r.Rate > 0 && !c.bucket(i, r).take(time.Now(), r):
		return &Error{Code: TooFast, Text: "more than " + strconv.FormatFloat(r.Rate, 'g', -1, 64) + " messages a second"}
	}
	return nil
}

// mayReceipt asks whether the client may have receipts of a topic's message
// published in another: as if it published them there, and asked who is here, for
// that is what they tell.
func (c *client) mayReceipt(topic, to string) error {
	if err := c.bus.opts.checkTopic(to); err != nil {
		return err
	}
	if err := c.authorize(OpPresence, topic); err != nil {
		return err
	}
	if err := c.authorize(OpPublish, to); err != nil {
		return err
	}
	return c.mayPublish(to)
}

// inReceipts says that it was the topic for receipts that is refused.
func inReceipts(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{Code: e.Code, Text: "receipts: " + e.Text, Err: e.Err}
}

// mayRead reports whether the client may get messages from before. Who may
// not goes on like one for whom they are lost, if it comes with a position.
func (c *client) mayRead(cmd *command) (bool, error) {
	if cmd.since == nil && cmd.history <= 0 {
		return true, nil
	}
	err := c.authorize(OpHistory, cmd.topic)
	var e *Error
	if cmd.since != nil && errors.As(err, &e) && e.Code == Forbidden {
		return false, nil
	}
	return err == nil, err
}

// shown returns the user, if others in the topic are to see who that is.
func (c *client) shown(topic string) string {
	if c.badge == nil || !c.bus.opts.rule(topic).ShowUsers {
		return ""
	}
	return c.badge.Principal().User
}

// refresh takes a newer token.
func (c *client) refresh(cmd *command) error {
	if c.badge == nil {
		return &Error{Code: Forbidden, Text: "tokens mean nothing here"}
	}
	if err := c.badge.Refresh(c.ctx, cmd.token); err != nil {
		return denied(err)
	}
	b := answer("refreshed", cmd.ref, "")
	if expires := c.badge.Principal().Expires; !expires.IsZero() {
		b = append(b, `,"expires":`...)
		b = strconv.AppendInt(b, int64(max(0, time.Until(expires))/time.Second), 10)
	}
	_, err := c.answer(append(b, '}'), nil, nil)
	return err
}

// A bucket of tokens fills with time, and empties with each message.
type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
}

func (c *client) bucket(rule int, r *TopicRule) *bucket {
	b := c.rates[rule]
	if b == nil {
		if c.rates == nil {
			c.rates = make(map[int]*bucket)
		}
		b = &bucket{tokens: r.burst(), at: time.Now()}
		c.rates[rule] = b
	}
	return b
}

func (b *bucket) take(now time.Time, r *TopicRule) bool {
	b.tokens = min(r.burst(), b.tokens+r.Rate*now.Sub(b.at).Seconds())
	if b.at = now; b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (r *TopicRule) burst() float64 {
	if r.Burst > 0 {
		return float64(r.Burst)
	}
	return max(1, r.Rate)
}

// maxMessage bounds a message in a topic.
func (o *Options) maxMessage(topic string) int {
	if i := o.find(topic); i >= 0 && o.Topics[i].MaxMessage > 0 {
		return min(o.MaxMessage, o.Topics[i].MaxMessage)
	}
	return o.MaxMessage
}
