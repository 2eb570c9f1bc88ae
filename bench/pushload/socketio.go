//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mochibosh/mochibosh/bench/wire"
)

// Socket.IO clients name their room when they connect to the namespace; the
// server puts them into it. Packets of Engine.IO begin with their type, those
// of Socket.IO with theirs after it.
const (
	engineOpen  = '0'
	enginePing  = '2'
	enginePong  = "3"
	ioConnect   = "40"
	engineBreak = '\x1e'
)

func ioJoin(s *subscriber) string { return fmt.Sprintf(`%s{"topic":%q}`, ioConnect, s.topic.name) }

// An ioPoll has one request at a time: pongs go between two polls.
type ioPoll struct {
	s    *subscriber
	conn *exchange
	path string
}

func (c *ioPoll) start() {
	c.conn.onAnswer = c.opened
	c.conn.get("/socket.io/?EIO=4&transport=polling", "")
}

func (c *ioPoll) opened(a wire.Answer) {
	var open struct{ SID string }
	if len(a.Body) == 0 || a.Body[0] != engineOpen || json.Unmarshal(a.Body[1:], &open) != nil {
		c.s.fail(fmt.Errorf("no session: %s", a.Body))
		return
	}
	c.path = "/socket.io/?EIO=4&transport=polling&sid=" + open.SID
	c.say(ioJoin(c.s))
}

// say posts a packet, and polls again when it has arrived.
func (c *ioPoll) say(packet string) {
	c.conn.onAnswer = func(a wire.Answer) {
		c.conn.onAnswer = c.packets
		c.conn.get(c.path, "")
	}
	c.conn.post(c.path, []byte(packet))
}

func (c *ioPoll) packets(a wire.Answer) {
	if a.Status != 200 {
		c.s.fail(fmt.Errorf("%d %s", a.Status, a.Body))
		return
	}
	pinged := false
	for packet := range bytes.SplitSeq(a.Body, []byte{engineBreak}) {
		pinged = ioPacket(c.s, packet) || pinged
	}
	if pinged {
		c.say(enginePong)
		return
	}
	c.conn.get(c.path, "")
}

// ioPacket reports whether a pong is wanted.
func ioPacket(s *subscriber, packet []byte) (pong bool) {
	switch {
	case len(packet) == 1 && packet[0] == enginePing:
		return true
	case bytes.HasPrefix(packet, []byte(ioConnect)):
		s.subscribed()
	default:
		s.whole(packet)
	}
	return false
}

func (c *ioPoll) close() { c.conn.close() }

type ioSocket struct {
	s      *subscriber
	srv    *server
	socket *socket
}

func (c *ioSocket) start() {
	var err error
	if c.socket, err = dialSocket(c.s, c.srv, "/socket.io/?EIO=4&transport=websocket", ""); err != nil {
		c.s.fail(err)
		return
	}
	c.socket.onOpen = func() {}
	c.socket.onText = func(text []byte) {
		switch {
		case text[0] == engineOpen:
			c.socket.send(ioJoin(c.s))
		case ioPacket(c.s, text):
			c.socket.send(enginePong)
		}
	}
}

func (c *ioSocket) close() { c.socket.close() }
