package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// silence is how long a stream or a socket may be silent: the server pings
// each second.
const silence = 2500 * time.Millisecond

// poll is long-poll: one poll after the other, until one fails or the client
// moves on. Now and then it loses patience.
func (c *pushClient) poll(ctx context.Context, n uint64) error {
	for {
		attach, ack, ok := c.hello(n)
		if !ok {
			return nil
		}
		patience := 3 * time.Second
		c.Lock()
		if c.rng.IntN(50) == 0 {
			patience = time.Duration(1 + c.rng.Int64N(int64(100*time.Millisecond)))
		}
		c.Unlock()
		ask := map[string]any{"session": c.session, "key": c.key, "attach": attach, "ack": ack}
		o, err := c.exchange(ctx, "/push", ask, patience)
		if err != nil {
			return err
		}
		if _, err := c.receive(attach, ack+1, o); err != nil {
			return err
		}
	}
}

// stream is an event stream, by ticket or, as often, with headers.
func (c *pushClient) stream(ctx context.Context, n uint64) error {
	attach, ack, ok := c.hello(n)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/push/sse", nil)
	if err != nil {
		return err
	}
	if attach%2 == 0 {
		o, err := c.exchange(ctx, "/push/sse", map[string]any{"session": c.session, "key": c.key, "attach": attach, "ack": ack}, time.Second)
		if err != nil {
			return err
		}
		r.URL.RawQuery = url.Values{"ticket": {o.Ticket}}.Encode()
	} else {
		r.URL.RawQuery = url.Values{"session": {c.session}, "attach": {itoa(attach)}}.Encode()
		r.Header.Set("Authorization", "Bearer "+c.key)
		r.Header.Set("Last-Event-ID", itoa(ack))
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		o := new(object)
		if err := json.NewDecoder(resp.Body).Decode(o); err == nil && o.Error != nil {
			return refused(o)
		}
		return errors.New(resp.Status)
	}
	next := ack + 1
	event := new(object)
	for lines := bufio.NewReader(resp.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		watch.Reset(silence)
		data, ok := strings.CutPrefix(line, "data: ")
		if ok {
			event = new(object)
			if err := json.Unmarshal([]byte(data), event); err != nil {
				return err
			}
			continue
		}
		if line != "\n" {
			continue
		}
		if next, err = c.receive(attach, next, event); err != nil {
			return err
		}
		if c.moved(n) {
			return nil
		}
	}
}

// moved reports whether another link has taken over, and works.
func (c *pushClient) moved(n uint64) bool {
	c.Lock()
	defer c.Unlock()
	return n != c.links && !c.attaching
}

// socket is a WebSocket: both ways over one connection.
func (c *pushClient) socket(ctx context.Context, n uint64) error {
	dialer := websocket.Dialer{Subprotocols: []string{"push.v1"}, HandshakeTimeout: time.Second}
	ws, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.url, "http")+"/push/ws", nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	defer stop()
	attach, ack, ok := c.hello(n)
	if !ok {
		return nil
	}
	// Messages may come with the first object.
	c.Lock()
	c.sent = c.acked
	hello := map[string]any{"session": c.session, "key": c.key, "attach": attach, "ack": ack}
	if first, last, ok := c.claim(); ok {
		hello = c.batch(hello, first, last)
	}
	c.Unlock()
	if err := write(ws, hello); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := ack + 1
	for writing := false; ; {
		ws.SetReadDeadline(time.Now().Add(silence))
		_, data, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		o := new(object)
		if err := json.Unmarshal(data, o); err != nil {
			return err
		}
		if next, err = c.receive(attach, next, o); err != nil {
			return err
		}
		if c.moved(n) {
			return nil
		}
		if !writing {
			writing = true
			go c.write(ctx, ws, n)
		}
	}
}

// write sends messages and acknowledgements on a socket, while it is the
// newest link.
func (c *pushClient) write(ctx context.Context, ws *websocket.Conn, n uint64) {
	for ctx.Err() == nil {
		c.Lock()
		if n != c.links {
			c.Unlock()
			return
		}
		var o map[string]any
		first, last, ok := c.claim()
		ack := c.acknowledgeable()
		due := ack >= c.ackSent+32
		if !ok && !due {
			c.wait(ctx, 10*time.Millisecond)
			due = c.acknowledgeable() > c.ackSent
			ack = c.acknowledgeable()
		}
		if ok || due {
			o = map[string]any{"ack": ack}
			c.ackSent = ack
		}
		c.Unlock()
		if ok {
			o = c.batch(o, first, last)
		}
		if o != nil && write(ws, o) != nil {
			ws.Close()
			return
		}
	}
}

func write(ws *websocket.Conn, o map[string]any) error {
	text, err := marshal(o)
	if err != nil {
		return err
	}
	ws.SetWriteDeadline(time.Now().Add(silence))
	return ws.WriteMessage(websocket.TextMessage, text)
}
