//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"

	"github.com/mochibosh/mochibosh/bench/epoll"
)

const (
	firstRID = 1_000_000_000
	boshBody = "<body rid='%d' sid='%s' xmlns='http://jabber.org/protocol/httpbind'>%s</body>"
)

// bosh is XEP-0124 and XEP-0206 as browsers speak it: two connections, one
// request is held, the other is for what the client has to say.
type bosh struct {
	s      *session
	domain string
	wait   int
	conns  [2]*exchanger
	late   []byte // the answer that came before the one to an earlier request
	sid    string
	rid    int
	queue  []byte
	restart,
	terminate bool
}

func dialBOSH(l *epoll.Loop, addr *net.TCPAddr, t target, s *session) (carrier, error) {
	c := &bosh{s: s, domain: t.domain, wait: t.wait, rid: firstRID}
	for i := range c.conns {
		c.conns[i] = newExchanger(l, addr, t, c.body, s.fail)
	}
	return c, nil
}

func (c *bosh) open() {
	if c.sid != "" {
		c.restart = true
		return
	}
	c.post(c.conns[0], "<body content='text/xml; charset=utf-8' hold='1' rid='%d' to='"+c.domain+"' ver='1.6' wait='%d' xml:lang='en' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>", c.rid, c.wait)
}

func (c *bosh) post(e *exchanger, format string, args ...any) {
	e.rid = c.rid
	c.rid++
	e.post(fmt.Appendf(nil, format, args...))
}

func (c *bosh) send(element string) { c.queue = append(c.queue, element...) }

func (c *bosh) end() {
	c.terminate = true
	c.flush()
}

// flush sends what there is to say if a connection is free, and lets the
// server hold a request otherwise.
func (c *bosh) flush() {
	if c.sid == "" || c.s.closed {
		return
	}
	var free *exchanger
	held := 0
	for _, e := range c.conns {
		if e.busy {
			held++
		} else if free == nil {
			free = e
		}
	}
	switch {
	case free == nil:
	case c.terminate:
		c.terminate = false
		c.post(free, "<body rid='%d' sid='%s' type='terminate' xmlns='http://jabber.org/protocol/httpbind'/>", c.rid, c.sid)
	case c.restart:
		c.restart = false
		c.post(free, "<body rid='%d' sid='%s' to='"+c.domain+"' xml:lang='en' xmpp:restart='true' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>", c.rid, c.sid)
	case len(c.queue) > 0 || held == 0 && !c.s.ended:
		c.post(free, boshBody, c.rid, c.sid, c.queue)
		c.queue = c.queue[:0]
	}
}

// body takes an answer when those to earlier requests are there.
func (c *bosh) body(e *exchanger, body []byte) {
	for _, other := range c.conns {
		if other != e && other.busy && other.rid < e.rid {
			c.late = append([]byte{}, body...)
			return
		}
	}
	e.busy = false
	c.take(body)
	if late := c.late; late != nil {
		c.late = nil
		for _, e := range c.conns {
			e.busy = false
		}
		c.take(late)
	}
	c.flush()
}

func (c *bosh) take(body []byte) {
	if c.sid == "" {
		_, sid, _ := bytes.Cut(body, []byte(" sid="))
		if len(sid) > 0 {
			sid, _, _ = bytes.Cut(sid[1:], sid[:1])
		}
		c.sid = string(sid)
	}
	switch {
	case c.sid == "", bytes.Contains(body, []byte("type='terminate'")), bytes.Contains(body, []byte(`type="terminate"`)):
		c.close(fmt.Errorf("the session is over: %s", body))
	case !c.s.ended:
		c.s.text(body, true)
	}
}

func (c *bosh) close(err error) {
	c.s.fail(err)
	for _, e := range c.conns {
		if e.conn != nil {
			e.busy = false
			e.conn.Close()
			e.conn = nil
		}
	}
}
