//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/mochibosh/mochibosh/bench/epoll"
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

// mask is the same in each frame: what it costs to apply does not depend on it.
var mask = [4]byte{0x5a, 0xc3, 0x17, 0x88}

func dialWS(l *epoll.Loop, addr *net.TCPAddr, t target, s *session) (carrier, error) {
	c := &ws{s: s, domain: t.domain}
	var err error
	if c.conn, err = l.Dial(addr, c.data, s.fail); err == nil {
		c.conn.Write(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n", t.path, addr))
	}
	return c, err
}

func (c *ws) open() {
	c.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + c.domain + "' version='1.0'/>")
}

func (c *ws) send(element string) { c.out = appendFrame(c.out, 1, element) }

// Opcodes of RFC 6455 §5.2.
const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

func appendFrame(out []byte, opcode byte, payload string) []byte {
	out = append(out, 0x80|opcode)
	if len(payload) < 126 {
		out = append(out, 0x80|byte(len(payload)))
	} else {
		out = append(out, 0x80|126)
		out = binary.BigEndian.AppendUint16(out, uint16(len(payload)))
	}
	out = append(out, mask[:]...)
	for i := range len(payload) {
		out = append(out, payload[i]^mask[i&3])
	}
	return out
}

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
		header := bytes.Index(data, []byte("\r\n\r\n"))
		if header < 0 {
			c.in = append(c.in[:0], data...)
			return
		}
		if !bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) {
			c.conn.End(fmt.Errorf("no WebSocket: %s", data))
			return
		}
		c.ready = true
		data = data[header+4:]
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
	if len(data) < 2 {
		return 0, true
	}
	header, size := 2, int(data[1])
	switch size {
	case 126:
		header = 4
		if len(data) < header {
			return 0, true
		}
		size = int(binary.BigEndian.Uint16(data[2:]))
	case 127:
		c.conn.End(errors.New("a frame of more than 64 KB"))
		return 0, false
	}
	if len(data) < header+size {
		return 0, true
	}
	payload := data[header : header+size]
	switch data[0] & 0xf {
	case opClose:
		c.conn.End(nil)
		return 0, false
	case opPing:
		c.out = appendFrame(c.out, opPong, string(payload))
	case opPong:
	default:
		switch {
		case !c.s.ended:
			c.s.text(payload, data[0]&0x80 != 0)
		case bytes.HasPrefix(payload, []byte("<close")):
			c.out = appendFrame(c.out, opClose, "\x03\xe8")
			c.flush()
		}
	}
	return header + size, c.conn.Open()
}
