//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// ws is XMPP over WebSocket, RFC 7395.
type ws struct {
	s      *session
	domain string
	conn   *epoll.Conn
	ready  bool   // the handshake is over
	in     []byte // received, not a whole frame
	out    []byte
}

func dialWS(l *epoll.Loop, addr *net.TCPAddr, t target, s *session) (carrier, error) {
	c := &ws{s: s, domain: t.domain}
	var err error
	if c.conn, err = l.Dial(addr, c.data, s.fail); err == nil {
		c.conn.Write(wire.Upgrade(t.path, addr.String(), "xmpp"))
	}
	return c, err
}

func (c *ws) open() {
	c.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + c.domain + "' version='1.0'/>")
}

func (c *ws) send(element string) { c.out = wire.AppendFrame(c.out, wire.Text, element) }

func (c *ws) flush() {
	if c.ready && len(c.out) > 0 {
		c.conn.Write(c.out)
		c.out = c.out[:0]
	}
}

func (c *ws) end() {
	c.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	c.flush()
}

func (c *ws) data(data []byte) {
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	if !c.ready {
		head, length, err := wire.ParseHead(data)
		switch {
		case err == nil && length > 0 && head.Status != 101:
			err = fmt.Errorf("no WebSocket: %s", data)
			fallthrough
		case err != nil:
			c.conn.End(err)
			return
		case length == 0:
			c.in = append(c.in[:0], data...)
			return
		}
		c.ready = true
		data = data[length:]
	}
	for {
		n, ok := c.frame(data)
		if !ok {
			return
		}
		if n == 0 {
			break
		}
		data = data[n:]
	}
	c.in = append(c.in[:0], data...)
	c.flush()
}

// frame takes one frame and returns its length; zero if it is not whole. Not
// ok: there is nothing more to come.
func (c *ws) frame(data []byte) (length int, ok bool) {
	f, length, err := wire.ParseFrame(data)
	if err != nil {
		c.conn.End(err)
		return 0, false
	}
	if length == 0 {
		return 0, true
	}
	switch f.Opcode {
	case wire.Close:
		c.conn.End(nil)
		return 0, false
	case wire.Ping:
		c.out = wire.AppendFrame(c.out, wire.Pong, string(f.Payload))
	case wire.Pong:
	default:
		switch {
		case !c.s.ended:
			c.s.text(f.Payload, f.Final)
		case bytes.HasPrefix(f.Payload, []byte("<close")):
			c.out = wire.AppendFrame(c.out, wire.Close, "\x03\xe8")
			c.flush()
		}
	}
	return length, c.conn.Open()
}
