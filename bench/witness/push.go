package witness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// This file has the carriers of push.v1 (docs/push-v1.md).

// batch returns what follows a number of commands, as members of an object;
// empty: nothing. With the lock held.
func (c *client) batch(after int) (members string, last int) {
	if after == len(c.messages) {
		return "", after
	}
	return fmt.Sprintf(`"first":%d,"messages":[%s]`, after+1, bytes.Join(c.messages[after:], []byte(","))), len(c.messages)
}

func (c *client) head() string { return fmt.Sprintf(`{"session":%q,"key":%q`, c.session, c.key) }

// send posts what there is to be said, again until it is acknowledged.
func (c *client) send(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.await(ctx, func() bool { return c.acked < len(c.messages) }) {
		members, _ := c.batch(c.acked)
		if c.carrier == "SSE" {
			members += fmt.Sprintf(`,"ack":%d`, c.got)
		}
		c.mu.Unlock()
		o, err := c.post(ctx, c.head()+","+members+"}", 10*time.Second)
		if err != nil {
			c.rest(ctx, c.verdict(err))
		}
		c.mu.Lock()
		if err == nil {
			c.confirm(o.Ack)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// confirm takes an acknowledgement; with the lock held.
func (c *client) confirm(ack uint64) { c.acked = max(c.acked, int(ack)) }

// receive takes messages from a number on.
func (c *client) receive(first uint64, messages []json.RawMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.tell()
	for _, m := range messages {
		switch {
		case first > c.got+1:
			c.fail(fmt.Errorf("message %d after %d", first, c.got))
			return errors.New("a gap")
		case first == c.got+1:
			c.got++
			c.take(m)
		}
		first++
	}
	return nil
}

func (c *client) next() (attach, got uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attach++
	return c.attach, c.got
}

// poll is one long poll.
func (c *client) poll(ctx context.Context) error {
	attach, got := c.next()
	o, err := c.post(ctx, fmt.Sprintf(`%s,"attach":%d,"ack":%d}`, c.head(), attach, got), 60*time.Second)
	if err != nil {
		return err
	}
	return c.receive(o.First, o.Messages)
}

// stream is one event stream.
func (c *client) stream(ctx context.Context) error {
	attach, got := c.next()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/push/sse?session=%s&attach=%d", c.url(), c.session, attach), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Last-Event-ID", fmt.Sprint(got))
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	after := time.Duration(0)
	for next := got + 1; lines.Scan(); {
		line := lines.Text()
		if ms, ok := strings.CutPrefix(line, "retry: "); ok {
			after, _ = time.ParseDuration(ms + "ms")
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if resp.StatusCode != http.StatusOK {
			data, ok = line, true
		}
		if !ok {
			continue
		}
		o, err := parse([]byte(data), resp)
		if err != nil {
			return err
		}
		if o.First != 0 {
			next = o.First
		}
		if err := c.receive(next, o.Messages); err != nil {
			return err
		}
		next += uint64(len(o.Messages))
	}
	return &refusal{code: "cut", after: after}
}

// socket is one WebSocket.
func (c *client) socket(ctx context.Context) error {
	attach, got := c.next()
	d := websocket.Dialer{Subprotocols: []string{"push.v1"}, HandshakeTimeout: 10 * time.Second}
	ws, resp, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(c.url(), "http")+"/push/ws", nil)
	if err != nil {
		return &refusal{code: "no socket", text: err.Error(), after: retryAfter(resp)}
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	defer stop()
	if err := ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `%s,"attach":%d,"ack":%d}`, c.head(), attach, got)); err != nil {
		return err
	}
	gone, leave := context.WithCancel(ctx)
	defer leave()
	for next, greeted := got+1, false; ; {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		o, err := parse(data, nil)
		if err != nil {
			return err
		}
		if o.First != 0 {
			next = o.First
		}
		c.mu.Lock()
		c.confirm(o.Ack)
		from := c.acked
		c.mu.Unlock()
		if !greeted { // now the server's count is known
			greeted = true
			go c.write(gone, ws, from)
		}
		if err := c.receive(next, o.Messages); err != nil {
			return err
		}
		next += uint64(len(o.Messages))
	}
}

// write sends commands on a socket, and acknowledgements, from a number of them
// on.
func (c *client) write(ctx context.Context, ws *websocket.Conn, from int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.await(ctx, func() bool { return from < len(c.messages) }) && ctx.Err() == nil {
		members, last := c.batch(from)
		text := fmt.Sprintf(`{%s,"ack":%d}`, members, c.got)
		from = last
		c.mu.Unlock()
		err := ws.WriteMessage(websocket.TextMessage, []byte(text))
		c.mu.Lock()
		if err != nil {
			return
		}
	}
}
