//go:build linux

package main

import (
	"fmt"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// Plain clients ask for a topic by its name in the query: nchan and the floors.

// A plainPoll says what it has by the fields that nchan gives each message, and
// by the number of the newest message, which is what the floors want.
type plainPoll struct {
	s    *subscriber
	conn *exchange
	seen string // header fields
}

func (c *plainPoll) start() {
	c.conn.onAnswer = c.answer
	c.poll()
	c.s.subscribed()
}

func (c *plainPoll) poll() {
	c.conn.get(fmt.Sprintf("/lp?id=%s&after=%d", c.s.topic.name, c.s.newest), c.seen)
}

func (c *plainPoll) answer(a wire.Answer) {
	switch a.Status {
	case 200:
		if modified := a.Get("last-modified"); modified != "" {
			c.seen = "If-Modified-Since: " + modified + "\r\nIf-None-Match: " + a.Get("etag") + "\r\n"
		}
		c.s.whole(a.Body)
	case 204, 304, 408: // nothing came
	default:
		c.s.fail(fmt.Errorf("%d %s", a.Status, a.Body))
		return
	}
	c.poll()
}

func (c *plainPoll) close() { c.conn.close() }

type plainStream struct {
	s    *subscriber
	srv  *server
	conn *epoll.Conn
}

func (c *plainStream) start() {
	e := &exchange{server: c.srv, onFail: c.s.fail}
	c.conn = e.stream(c.s, "/sse?id="+c.s.topic.name, "", "")
}

func (c *plainStream) close() { c.conn.Close() }

type plainSocket struct {
	s      *subscriber
	srv    *server
	socket *socket
}

func (c *plainSocket) start() {
	var err error
	if c.socket, err = dialSocket(c.s, c.srv, "/ws?id="+c.s.topic.name, ""); err != nil {
		c.s.fail(err)
	}
}

func (c *plainSocket) close() { c.socket.close() }
