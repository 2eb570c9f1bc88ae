package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A message is what the page and the bridge publish.
type message struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// A bridge has rooms: topics with readers at the XMPP server.
type bridge struct {
	bus    *bus.Bus
	engine bus.Engine
	domain string
	logger *slog.Logger
	wake   chan struct{} // there is something in some topic

	mu    sync.Mutex
	rooms map[string]*room
}

// A room is a topic, with those who are told what comes there.
type room struct {
	topic   string
	readers map[string]bool // bare JIDs
	at      bus.Position    // all up to here has reached the XMPP server
}

func newBridge(b *bus.Bus, e bus.Engine, domain string, logger *slog.Logger) *bridge {
	return &bridge{bus: b, engine: e, domain: domain, logger: logger, wake: make(chan struct{}, 1), rooms: make(map[string]*room)}
}

// again is how long to wait before the server is tried once more.
const again = time.Second

// run keeps the bridge connected. Topics are kept by the bus meanwhile: each room goes
// on where it was.
func (b *bridge) run(ctx context.Context, server, secret string) {
	for ctx.Err() == nil {
		c, err := connect(ctx, server, b.domain, secret)
		if err == nil {
			b.logger.Info("connected", "server", server)
			err = b.serve(ctx, c)
		}
		if ctx.Err() != nil {
			return
		}
		b.logger.Warn("not connected", "server", server, "error", err)
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// serve carries messages both ways until the connection breaks.
func (b *bridge) serve(ctx context.Context, c *component) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
	pongs := make(chan string, 1)
	go func() {
		for {
			s, err := c.next()
			if err == nil {
				err = b.take(ctx, c, s, pongs)
			}
			if err != nil {
				cancel(err)
				return
			}
		}
	}()
	for b.nudge(); ; {
		select {
		case <-b.wake:
			if err := b.tellAll(ctx, c, pongs); err != nil {
				cancel(err)
				return context.Cause(ctx)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ---- from XMPP to the bus

// take takes a stanza of somebody at the XMPP server.
func (b *bridge) take(ctx context.Context, c *component, s *stanza, pongs chan<- string) error {
	topic, _, _ := strings.Cut(s.To, "@")
	from, _, _ := strings.Cut(s.From, "/")
	switch {
	case s.XMLName.Local == "iq" && (s.Type == "result" || s.Type == "error"):
		select {
		case pongs <- s.ID: // the server has seen all that was sent before
		default:
		}
		return nil
	case s.XMLName.Local == "iq" || s.XMLName.Local == "message" && s.Type != "error" && s.Body != nil && !strings.Contains(s.To, "@"):
		return c.send(answer(s, "there is nothing at this address"))
	case s.XMLName.Local != "message" || s.Type == "error" || s.Body == nil:
		return nil
	case *s.Body == "/leave":
		b.leave(topic, from)
		bye := "You are told no more."
		return c.send(&stanza{XMLName: s.XMLName, From: s.To, To: s.From, Type: "chat", Body: &bye})
	}
	err := b.join(ctx, topic, from)
	if err == nil {
		var data []byte
		if data, err = json.Marshal(message{from, *s.Body}); err == nil {
			_, err = b.bus.Publish(ctx, topic, data, nil)
		}
	}
	var refused *bus.Error
	if errors.As(err, &refused) {
		return c.send(answer(s, refused.Text))
	}
	return err
}

func answer(s *stanza, text string) *stanza {
	return &stanza{XMLName: s.XMLName, From: s.To, To: s.From, ID: s.ID, Type: "error", Error: &refusal{Type: "cancel", Text: text}}
}

// join makes somebody a reader of a topic.
func (b *bridge) join(ctx context.Context, topic, who string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rooms[topic]; r != nil {
		r.readers[who] = true
		return nil
	}
	at, _, err := b.engine.Subscribe(ctx, topic, listener{b.nudge})
	if err == nil {
		b.rooms[topic] = &room{topic, map[string]bool{who: true}, at}
	}
	return err
}

func (b *bridge) leave(topic, who string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rooms[topic]; r != nil {
		delete(r.readers, who)
	}
}

// ---- from the bus to XMPP

// nudge has the rooms be looked at.
func (b *bridge) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// A listener is a bus.Sink that only wants to know that there is something.
type listener struct{ nudge func() }

func (l listener) Deliver(bus.Message)      { l.nudge() }
func (listener) Joined(bus.Member)          {}
func (listener) Left(bus.Member)            {}
func (listener) Evicted(bus.Member)         {}
func (listener) Room(context.Context) error { return nil }

// tellAll tells the readers of all rooms what is new to them.
func (b *bridge) tellAll(ctx context.Context, c *component, pongs <-chan string) error {
	b.mu.Lock()
	rooms := make([]*room, 0, len(b.rooms))
	for _, r := range b.rooms {
		rooms = append(rooms, r)
	}
	b.mu.Unlock()
	for _, r := range rooms {
		if err := b.tell(ctx, c, r, pongs); err != nil {
			return err
		}
	}
	return nil
}

// tell sends what is after the room's position, and moves that on when the server has
// seen all of it: XEP-0114 has no acknowledgements, but a server answers a ping after
// what came before it. If the connection breaks before, all is sent again, with the
// same ids.
func (b *bridge) tell(ctx context.Context, c *component, r *room, pongs <-chan string) error {
	replay, err := b.engine.Read(ctx, r.topic, bus.Query{Since: &r.at})
	if err != nil {
		return err
	}
	if !replay.Recovered {
		b.logger.Error("messages are lost: the server was away for longer than the topic's history", "topic", r.topic)
	}
	to := replay.Position
	for _, m := range replay.Messages {
		to.Offset = m.Offset
		if err := b.forward(c, r, &m, to); err != nil {
			return err
		}
	}
	if to == r.at {
		return nil
	}
	id := to.Epoch + "-" + strconv.FormatUint(to.Offset, 10)
	_, server, _ := strings.Cut(b.domain, ".")
	ping := &stanza{From: r.topic + "@" + b.domain, To: server, ID: id, Type: "get", Ping: new(struct{})}
	ping.XMLName.Local = "iq"
	if err := c.send(ping); err != nil {
		return err
	}
	for {
		select {
		case pong := <-pongs:
			if pong == id {
				r.at = to
				return nil
			}
		case <-time.After(writing):
			return errors.New("the server does not answer")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// forward sends a message to the readers, but not to who wrote it.
func (b *bridge) forward(c *component, r *room, m *bus.Message, at bus.Position) error {
	var said message
	if json.Unmarshal(m.Data, &said) != nil || said.Text == "" {
		return nil // not for people
	}
	b.mu.Lock()
	readers := make([]string, 0, len(r.readers))
	for who := range r.readers {
		if who != said.From {
			readers = append(readers, who)
		}
	}
	b.mu.Unlock()
	text := said.From + ": " + said.Text
	for _, who := range readers {
		s := &stanza{From: r.topic + "@" + b.domain, To: who, ID: at.Epoch + "-" + strconv.FormatUint(at.Offset, 10), Type: "chat", Body: &text}
		s.XMLName.Local = "message"
		if err := c.send(s); err != nil {
			return err
		}
	}
	return nil
}
