//go:build linux

package main

import (
	"bytes"
	"net"

	"github.com/mochibosh/mochibosh/bench/epoll"
)

// tcp is XMPP as RFC 6120 has it.
type tcp struct {
	s      *session
	domain string
	conn   *epoll.Conn
	out    []byte
}

func dialTCP(l *epoll.Loop, addr *net.TCPAddr, t target, s *session) (carrier, error) {
	c := &tcp{s: s, domain: t.domain}
	var err error
	c.conn, err = l.Dial(addr, c.data, s.fail)
	return c, err
}

func (c *tcp) open() {
	c.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + c.domain + "' version='1.0'>")
}

func (c *tcp) send(element string) { c.out = append(c.out, element...) }

func (c *tcp) flush() {
	if len(c.out) > 0 {
		c.conn.Write(c.out)
		c.out = c.out[:0]
	}
}

func (c *tcp) end() {
	c.send("</stream:stream>")
	c.flush()
}

func (c *tcp) data(data []byte) {
	if c.s.ended {
		if bytes.Contains(data, []byte("</stream:stream>")) {
			c.conn.End(nil)
		}
		return
	}
	c.s.text(data, false)
	c.flush()
}
