//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/url"

	"github.com/mochibosh/mochibosh/bench/epoll"
)

// Centrifuge clients ask for their channel when they connect; the server
// subscribes them.

func centrifugeConnect(s *subscriber) string {
	return fmt.Sprintf(`{"id":1,"connect":{"name":%q}}`, s.topic.name)
}

const centrifugeConnected = `"connect":`

type centrifugeStream struct {
	s    *subscriber
	srv  *server
	conn *epoll.Conn
}

func (c *centrifugeStream) start() {
	e := &exchange{server: c.srv, onFail: c.s.fail}
	c.conn = e.stream(c.s, "/connection/sse?cf_connect="+url.QueryEscape(centrifugeConnect(c.s)), "", centrifugeConnected)
}

func (c *centrifugeStream) close() { c.conn.Close() }

type centrifugeSocket struct {
	s      *subscriber
	srv    *server
	socket *socket
}

func (c *centrifugeSocket) start() {
	var err error
	if c.socket, err = dialSocket(c.s, c.srv, "/connection/websocket", ""); err != nil {
		c.s.fail(err)
		return
	}
	c.socket.onOpen = func() { c.socket.send(centrifugeConnect(c.s)) }
	c.socket.onText = func(text []byte) {
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			switch {
			case string(line) == "{}": // a ping of its own
				c.socket.send("{}")
			case !c.s.ready && bytes.Contains(line, []byte(centrifugeConnected)):
				c.s.subscribed()
			default:
				c.s.whole(line)
			}
		}
	}
}

func (c *centrifugeSocket) close() { c.socket.close() }
