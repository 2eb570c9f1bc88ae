package witness

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
	"sync"
	"time"
)

// A client publishes in a topic and reads what comes. It never gives up.
type client struct {
	url     func() string
	carrier string
	topic   string
	every   time.Duration
	http    *http.Client

	session, key string
	attach       uint64 // of who reads

	mu       sync.Mutex
	changed  chan struct{}
	messages [][]byte    // commands, by their number less one
	begun    []time.Time // when each message was first published, by its number less one
	acked    int         // commands that the server has
	got      uint64      // frames of the server
	want     int         // number of the message that is to come
	doubled  int
	wrong    int
	astray   string // the first of these two
	longest  time.Duration
	err      error
}

func newClient(url func() string, carrier string, i int, every time.Duration) *client {
	c := &client{url: url, carrier: carrier, topic: fmt.Sprint("c/", i), every: every, want: 1, changed: make(chan struct{})}
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, DisableCompression: true}}
	c.messages = [][]byte{[]byte(`{"op":"subscribe","topic":"` + c.topic + `"}`)}
	return c
}

// begin makes the session. Nothing is lost if that has to be done again.
func (c *client) begin(ctx context.Context) {
	for ctx.Err() == nil {
		if c.carrier == "BOSH" {
			if c.createBOSH(ctx) == nil {
				return
			}
		} else if o, err := c.post(ctx, `{}`, 30*time.Second); err == nil && o.Session != "" {
			c.session, c.key = o.Session, o.Key
			return
		}
		c.rest(ctx, 0)
	}
}

// run publishes until that is enough, and reads until the end.
func (c *client) run(ctx, publishing context.Context) {
	defer c.http.CloseIdleConnections()
	var all sync.WaitGroup
	all.Go(func() { c.publish(publishing) })
	switch c.carrier {
	case "BOSH":
		all.Go(func() { c.bosh(ctx) })
	case "WebSocket":
		all.Go(func() { c.again(ctx, c.socket) })
	case "SSE":
		all.Go(func() { c.again(ctx, c.stream) })
		all.Go(func() { c.send(ctx) })
	default:
		all.Go(func() { c.again(ctx, c.poll) })
		all.Go(func() { c.send(ctx) })
	}
	all.Wait()
}

// publish has a message be sent now and then, beginning at random.
func (c *client) publish(ctx context.Context) {
	pause(ctx, rand.N(c.every))
	for n := 1; ctx.Err() == nil; n++ {
		c.mu.Lock()
		c.messages = append(c.messages, fmt.Appendf(nil, `{"op":"publish","topic":"%s","data":%d}`, c.topic, n))
		c.begun = append(c.begun, time.Now())
		c.tell()
		c.mu.Unlock()
		pause(ctx, c.every)
	}
}

// take takes a frame of the server.
func (c *client) take(frame []byte) {
	var m struct {
		Type string
		Data int
		Code string
	}
	if err := json.Unmarshal(frame, &m); err != nil || m.Type == "error" || m.Type == "dropped" {
		c.fail(fmt.Errorf("got %s: %v", frame, err))
		return
	}
	if m.Type != "message" {
		return
	}
	switch {
	case m.Data < c.want:
		if c.doubled++; c.astray == "" {
			c.astray = fmt.Sprintf("%s, %s: %s came again", c.topic, c.carrier, frame)
		}
	case m.Data > c.want:
		if c.wrong++; c.astray == "" {
			c.astray = fmt.Sprintf("%s, %s: %s came instead of %d", c.topic, c.carrier, frame, c.want)
		}
	default:
		c.longest = max(c.longest, time.Since(c.begun[m.Data-1]))
		c.want++
	}
}

func (c *client) fail(err error) {
	if c.err == nil {
		c.err = fmt.Errorf("%s, %s: %w", c.topic, c.carrier, err)
	}
}

// tell wakes who waits for a change; with the lock held.
func (c *client) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits until something is so, and reports whether it is; with the lock
// held.
func (c *client) await(ctx context.Context, so func() bool) bool {
	for !so() && ctx.Err() == nil {
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
	}
	return so()
}

// wait waits until all has come back.
func (c *client) wait(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.await(ctx, func() bool { return c.err != nil || c.want > len(c.begun) })
}

func (c *client) report(t *Tally) {
	t.Sent += len(c.begun)
	t.Came += c.want - 1
	t.Doubled += c.doubled
	t.Misordered += c.wrong
	t.Gaps = append(t.Gaps, c.longest)
	if c.astray != "" {
		t.Astray = append(t.Astray, c.astray)
	}
	if missing := len(c.begun) - c.want + 1; missing > 0 {
		t.Waiting = append(t.Waiting, fmt.Sprintf("%s, %s: %d of %d did not come, %d of %d commands were taken", c.topic, c.carrier, missing, len(c.begun), c.acked, len(c.messages)))
	}
	if c.err != nil {
		t.Errs = append(t.Errs, c.err)
	}
}

// rest waits before another attempt: as long as the server asks for, or a moment.
func (c *client) rest(ctx context.Context, after time.Duration) {
	pause(ctx, after+50*time.Millisecond+rand.N(200*time.Millisecond))
}

// again attaches again and again.
func (c *client) again(ctx context.Context, attached func(ctx context.Context) error) {
	for ctx.Err() == nil {
		if err := attached(ctx); err != nil {
			c.rest(ctx, c.verdict(err))
		}
	}
}

// verdict returns how long to stay away, and notes when there is nothing to come
// back to.
func (c *client) verdict(err error) time.Duration {
	var refused *refusal
	if !errors.As(err, &refused) {
		return 0
	}
	switch refused.code {
	case "gone", "ahead", "forbidden", "bad-request", "not-found", "end":
		c.mu.Lock()
		c.fail(err)
		c.tell()
		c.mu.Unlock()
		return time.Hour
	}
	return refused.after
}

// A refusal is what the server says instead.
type refusal struct {
	code, text string
	after      time.Duration
}

func (r *refusal) Error() string { return r.code + ": " + r.text }

// object is what the server says.
type object struct {
	Session, Key string
	Ack, First   uint64
	Messages     []json.RawMessage
	Replaced     bool
	End, Error   *struct{ Code, Message string }
}

// post posts an object.
func (c *client) post(ctx context.Context, body string, timeout time.Duration) (*object, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url()+"/push", bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return parse(data, resp)
}

func parse(data []byte, resp *http.Response) (*object, error) {
	o := new(object)
	if err := json.Unmarshal(data, o); err != nil {
		return nil, err
	}
	switch {
	case o.Error != nil:
		return nil, &refusal{o.Error.Code, o.Error.Message, retryAfter(resp)}
	case o.End != nil:
		return nil, &refusal{code: "end", text: o.End.Code}
	}
	return o, nil
}

func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	n, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return time.Duration(n) * time.Second
}
