package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// pushClient is a client of push.v1 (docs/push-v1.md) that never gives up. It
// has its messages from their numbers, so the outbox is two counters.
type pushClient struct {
	traffic  pushTraffic // with the lock held
	url      string      // of the server, as the client sees it
	http     *http.Client
	rng      *rand.Rand // with the lock held
	carriers []string   // that it moves among
	stay     time.Duration

	session, key string
	window       uint64

	change
	carrier   string
	links     uint64 // how many there have been; the last one counts
	attach    uint64
	attaching bool   // the newest attachment is not answered yet (rule 5)
	attachAck uint64 // what it acknowledges
	got       uint64 // messages of the server
	ackSent   uint64
	sent      uint64 // messages handed to posts, or to the socket
	acked     uint64 // by the server
	moves     int
	err       error
}

// object is what the server says.
type object struct {
	Session, Key string
	Limits       struct{ Window uint64 }
	Ack          uint64
	First        uint64
	Messages     []json.RawMessage
	Ticket       string
	Replaced     bool
	End, Error   *struct{ Code, Message string }
}

// errOver is why a client stops: its session is lost.
type errOver struct{ code, message string }

func (e *errOver) Error() string { return "the session is over: " + e.code + ": " + e.message }

func (c *pushClient) done() bool { return c.err != nil || c.traffic.complete(c.acked, c.got) }

// run returns when all is sent and received, or the session is lost.
func (c *pushClient) run(ctx context.Context) error {
	if err := c.create(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.Lock()
	defer c.Unlock()
	c.carrier = c.carriers[c.rng.IntN(len(c.carriers))]
	for range 3 { // posts overtake each other
		go c.post(ctx)
	}
	go c.acknowledge(ctx)
	if len(c.carriers) > 1 {
		go c.wander(ctx)
	}
	before, carrier := "", ""
	for ; !c.done() && ctx.Err() == nil; before = carrier {
		carrier = c.carrier
		c.links++
		if before == "WebSocket" {
			c.sent = c.acked // what the socket took may be lost
		}
		linkCtx, stop := context.WithCancel(ctx)
		go c.link(linkCtx, stop, carrier, c.links)
		for n := c.links; !c.done() && n == c.links && linkCtx.Err() == nil; {
			c.wait(linkCtx, time.Second)
		}
		// A move leaves the old link alone: it is told that it was replaced.
		if c.done() {
			stop()
		}
	}
	return errors.Join(c.err, ctx.Err())
}

func (c *pushClient) fail(err error) {
	c.Lock()
	defer c.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.tell()
}

// create makes the session; it brings no messages, so that a repeat does no harm.
func (c *pushClient) create(ctx context.Context) error {
	for ctx.Err() == nil {
		o, err := c.exchange(ctx, "/push", map[string]any{}, time.Second)
		if err == nil && o.Session != "" {
			c.session, c.key, c.window = o.Session, o.Key, o.Limits.Window
			return nil
		}
	}
	return ctx.Err()
}

// link keeps one attachment, until it breaks.
func (c *pushClient) link(ctx context.Context, stop func(), carrier string, n uint64) {
	defer stop()
	var err error
	switch carrier {
	case "long-poll":
		err = c.poll(ctx, n)
	case "SSE":
		err = c.stream(ctx, n)
	case "WebSocket":
		err = c.socket(ctx, n)
	}
	// What an attachment is told that is not the newest any more means nothing:
	// acknowledgements may have overtaken it.
	var over *errOver
	if errors.As(err, &over) && ctx.Err() == nil && c.newest(n) {
		c.fail(over)
	}
	c.pause(ctx, 5*time.Millisecond)
}

func (c *pushClient) newest(n uint64) bool {
	c.Lock()
	defer c.Unlock()
	return n == c.links
}

// wander moves to another carrier now and then.
func (c *pushClient) wander(ctx context.Context) {
	for ctx.Err() == nil {
		c.pause(ctx, c.stay)
		c.Lock()
		c.carrier = c.carriers[c.rng.IntN(len(c.carriers))]
		c.links++
		c.moves++
		c.tell()
		c.Unlock()
	}
}

func (c *pushClient) pause(ctx context.Context, most time.Duration) {
	c.Lock()
	d := time.Duration(c.rng.Int64N(int64(most)))
	c.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// ---- down

// hello gives the numbers of a new attachment.
func (c *pushClient) hello(n uint64) (attach, ack uint64, ok bool) {
	c.Lock()
	defer c.Unlock()
	if n != c.links {
		return 0, 0, false
	}
	c.attach++
	c.attaching, c.attachAck = true, c.got
	return c.attach, c.got, true
}

// receive takes an object of the attachment. Next is the number of its first
// message, if it does not say; returned is that of what follows.
func (c *pushClient) receive(attach, next uint64, o *object) (uint64, error) {
	c.Lock()
	defer c.Unlock()
	defer c.tell()
	switch {
	case o.Error != nil:
		return 0, refused(o)
	case o.End != nil:
		return 0, &errOver{o.End.Code, o.End.Message}
	case o.Replaced:
		return 0, errors.New("replaced")
	}
	c.confirm(o.Ack)
	if attach == c.attach {
		c.attaching = false
	}
	if o.First != 0 {
		next = o.First
	}
	for _, m := range o.Messages {
		if next > c.got+1 {
			return 0, fmt.Errorf("message %d after %d", next, c.got)
		}
		if next == c.got+1 {
			c.got++
			c.traffic.take(m)
		}
		next++
	}
	if c.rng.IntN(2000) == 0 { // a client is behind now and then
		c.Unlock()
		time.Sleep(200 * time.Millisecond)
		c.Lock()
	}
	return next, nil
}

// confirm takes an acknowledgement; with the lock held.
func (c *pushClient) confirm(ack uint64) {
	c.acked = max(c.acked, ack)
	c.sent = max(c.sent, c.acked)
	if ready := c.traffic.ready(); c.acked > ready {
		c.err = fmt.Errorf("%d acknowledged of %d", c.acked, ready)
	}
}

// acknowledgeable is what may be acknowledged now (rule 5); with the lock held.
func (c *pushClient) acknowledgeable() uint64 {
	if c.attaching {
		return min(c.got, c.attachAck)
	}
	return c.got
}

// refused makes an error of a refusal: some end the session.
func refused(o *object) error {
	switch o.Error.Code {
	case "gone", "ahead", "forbidden", "bad-request", "not-found":
		return &errOver{o.Error.Code, o.Error.Message}
	}
	return errors.New(o.Error.Code)
}

// ---- up

// batch returns the object with messages from one number to another.
func (c *pushClient) batch(head map[string]any, first, last uint64) map[string]any {
	var messages []json.RawMessage
	for n := first; n <= last; n++ {
		messages = append(messages, c.traffic.raw(n))
	}
	head["first"], head["messages"] = first, messages
	return head
}

// claim takes the next messages to be sent, while there is room in the window;
// with the lock held.
func (c *pushClient) claim() (first, last uint64, ok bool) {
	first = c.sent + 1
	last = min(c.sent+1+uint64(c.rng.IntN(40)), c.acked+c.window, c.traffic.ready())
	if first > last {
		return 0, 0, false
	}
	c.sent = last
	c.traffic.sent(last)
	return first, last, true
}

// post sends messages by posts, where the link does not.
func (c *pushClient) post(ctx context.Context) {
	for ctx.Err() == nil {
		c.Lock()
		first, last, ok := uint64(0), uint64(0), false
		if c.carrier != "WebSocket" {
			first, last, ok = c.claim()
		}
		if !ok {
			c.wait(ctx, 100*time.Millisecond)
			c.Unlock()
			continue
		}
		c.Unlock()
		for c.missing(last) && ctx.Err() == nil {
			o, err := c.exchange(ctx, "/push", c.batch(c.head(), first, last), 3*time.Second)
			var over *errOver
			if errors.As(err, &over) {
				c.fail(over)
				return
			}
			c.Lock()
			if o != nil {
				c.confirm(o.Ack)
				c.tell()
			}
			if c.acked < last { // others are not there yet
				c.wait(ctx, 50*time.Millisecond)
			}
			c.Unlock()
		}
	}
}

func (c *pushClient) missing(n uint64) bool {
	c.Lock()
	defer c.Unlock()
	return c.acked < n
}

// head is the beginning of a post: on long-poll, polls acknowledge.
func (c *pushClient) head() map[string]any {
	c.Lock()
	defer c.Unlock()
	h := map[string]any{"session": c.session, "key": c.key}
	if c.carrier == "SSE" {
		c.ackSent = c.acknowledgeable()
		h["ack"] = c.ackSent
	}
	return h
}

// acknowledge posts what a stream brought, where no message takes it along.
func (c *pushClient) acknowledge(ctx context.Context) {
	for ctx.Err() == nil {
		c.Lock()
		due := c.carrier == "SSE" && c.acknowledgeable() >= c.ackSent+32
		if !due {
			c.wait(ctx, 20*time.Millisecond)
			due = c.carrier == "SSE" && c.acknowledgeable() > c.ackSent
		}
		c.Unlock()
		if !due {
			continue
		}
		before := c.head()
		if o, err := c.exchange(ctx, "/push", before, time.Second); err != nil {
			var over *errOver
			if errors.As(err, &over) {
				c.fail(over)
			}
			c.Lock()
			c.ackSent = 0
			c.Unlock()
		} else {
			c.Lock()
			c.confirm(o.Ack)
			c.tell()
			c.Unlock()
		}
	}
}

// exchange posts an object and returns that of the answer.
func (c *pushClient) exchange(ctx context.Context, path string, o map[string]any, timeout time.Duration) (*object, error) {
	body, err := marshal(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	answer := new(object)
	if err := json.Unmarshal(body, answer); err != nil {
		return nil, fmt.Errorf("answered %s: %w", resp.Status, err)
	}
	if answer.Error != nil {
		return answer, refused(answer)
	}
	if answer.End != nil {
		return nil, &errOver{answer.End.Code, answer.End.Message}
	}
	return answer, nil
}

// marshal writes an object whose messages are JSON already: json.Marshal would
// write them anew.
func marshal(o map[string]any) ([]byte, error) {
	messages, _ := o["messages"].([]json.RawMessage)
	rest := make(map[string]any, len(o))
	for name, value := range o {
		if name != "messages" {
			rest[name] = value
		}
	}
	b, err := json.Marshal(rest)
	if err != nil || len(messages) == 0 {
		return b, err
	}
	b = append(b[:len(b)-1], `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m...)
	}
	return append(b, "]}"...), nil
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
