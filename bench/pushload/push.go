//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// A push client speaks push.v1 to the event bus. It has one connection; what
// goes by posts beside an event stream shares a few with all others, as
// requests do behind a proxy.
type push struct {
	s            *subscriber
	srv          *server
	opening      *exchange
	session, key string
	attach       int
}

const subscribed = `"subscribed"`

// create makes a session with its subscription.
func (c *push) create(opened func()) {
	c.opening = &exchange{server: c.srv, onFail: c.s.fail}
	c.opening.onAnswer = func(a wire.Answer) {
		var object struct{ Session, Key string }
		if err := json.Unmarshal(a.Body, &object); err != nil || object.Key == "" {
			c.s.fail(fmt.Errorf("no session: %s", a.Body))
			return
		}
		c.session, c.key = object.Session, object.Key
		opened()
	}
	c.opening.post("/push", c.first())
}

// first is the object that makes a session.
func (c *push) first() []byte {
	return fmt.Appendf(nil, `{"wait":%d,"messages":[{"op":"subscribe","topic":%q}]}`, c.s.bench.hold, c.s.topic.name)
}

// ack counts the answer to the subscription.
func (c *push) ack() int {
	if c.s.ready {
		return 1 + c.s.received
	}
	return 0
}

type pushPoll struct{ push }

func (c *pushPoll) start() { c.create(c.poll) }

func (c *pushPoll) poll() {
	c.attach++
	c.opening.onAnswer = c.answer
	c.opening.post("/push", fmt.Appendf(nil, `{"session":%q,"key":%q,"attach":%d,"ack":%d}`, c.session, c.key, c.attach, c.ack()))
}

func (c *pushPoll) answer(a wire.Answer) {
	if a.Status != 200 || bytes.Contains(a.Body, []byte(`"end"`)) {
		c.s.fail(fmt.Errorf("%d %s", a.Status, a.Body))
		return
	}
	if !c.s.ready && bytes.Contains(a.Body, []byte(subscribed)) {
		c.s.subscribed()
	}
	c.s.whole(a.Body)
	c.poll()
}

func (c *pushPoll) close() { c.opening.close() }

type pushStream struct {
	push
	conn *epoll.Conn
}

func (c *pushStream) start() {
	c.create(func() {
		c.conn = c.opening.stream(c.s, "/push/sse?attach=1&session="+c.session, "Authorization: Bearer "+c.key+"\r\n", subscribed)
	})
}

func (c *pushStream) acknowledge() {
	c.s.bench.posts.send("/push", fmt.Appendf(nil, `{"session":%q,"key":%q,"ack":%d}`, c.session, c.key, c.ack()))
}

func (c *pushStream) close() {
	c.opening.close()
	c.conn.Close()
}

type pushSocket struct {
	push
	socket *socket
}

func (c *pushSocket) start() {
	var err error
	if c.socket, err = dialSocket(c.s, c.srv, "/push/ws", "push.v1"); err != nil {
		c.s.fail(err)
		return
	}
	c.socket.onOpen = func() { c.socket.send(string(c.first())) }
	c.socket.onText = func(text []byte) {
		if !c.s.ready && bytes.Contains(text, []byte(subscribed)) {
			c.s.subscribed()
		}
		c.s.whole(text)
	}
}

func (c *pushSocket) acknowledge() { c.socket.send(fmt.Sprintf(`{"ack":%d}`, c.ack())) }

func (c *pushSocket) close() { c.socket.close() }

// A boshClient speaks to the bus in payloads of BOSH, one request at a time.
type boshClient struct {
	s    *subscriber
	conn *exchange
	sid  string
	rid  int
}

const boshNamespace = "xmlns='http://jabber.org/protocol/httpbind'"

func (c *boshClient) start() {
	c.rid = 1_000_000_000
	c.conn.onAnswer = c.created
	c.conn.post("/http-bind", fmt.Appendf(nil, "<body to='bus' rid='%d' wait='%d' hold='1' ver='1.6' %s/>", c.rid, c.s.bench.hold, boshNamespace))
}

func (c *boshClient) created(a wire.Answer) {
	_, sid, _ := bytes.Cut(a.Body, []byte(" sid="))
	if len(sid) == 0 {
		c.s.fail(fmt.Errorf("no session: %s", a.Body))
		return
	}
	sid, _, _ = bytes.Cut(sid[1:], sid[:1])
	c.sid = string(sid)
	c.conn.onAnswer = c.answer
	c.request("<json xmlns='urn:xmpp:json:0'>" + fmt.Sprintf(`{"op":"subscribe","topic":%q}`, c.s.topic.name) + "</json>")
}

func (c *boshClient) request(payload string) {
	c.rid++
	c.conn.post("/http-bind", fmt.Appendf(nil, "<body rid='%d' sid='%s' %s>%s</body>", c.rid, c.sid, boshNamespace, payload))
}

func (c *boshClient) answer(a wire.Answer) {
	if a.Status != 200 || bytes.Contains(a.Body, []byte("terminate")) {
		c.s.fail(fmt.Errorf("%d %s", a.Status, a.Body))
		return
	}
	if !c.s.ready && bytes.Contains(a.Body, []byte("subscribed")) {
		c.s.subscribed()
	}
	c.s.whole(a.Body)
	c.request("")
}

func (c *boshClient) close() { c.conn.close() }
