package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
)

// A client is one connection, served by one goroutine.
type client struct {
	conn   net.Conn
	domain string
	user   string
	jid    string
	out    []byte // answers to all that one read brought
}

// serve answers until the client ends.
func (c *client) serve() {
	defer c.conn.Close()
	var s scanner
	buf := make([]byte, 2048)
	filled := 0
	for {
		n, err := c.conn.Read(buf[filled:])
		if err != nil {
			return
		}
		filled += n
		c.out = c.out[:0]
		rest := buf[:filled]
		for {
			element, size := s.next(rest)
			if size == 0 {
				break
			}
			if len(element) > 0 {
				c.answer(&s, element)
			}
			rest = rest[size:]
		}
		filled = copy(buf, rest)
		if filled == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
		if len(c.out) > 0 {
			if _, err := c.conn.Write(c.out); err != nil {
				return
			}
		}
		if s.ended {
			return
		}
	}
}

const (
	saslNS = "urn:ietf:params:xml:ns:xmpp-sasl"
	bindNS = "urn:ietf:params:xml:ns:xmpp-bind"
)

// answer adds the answer to an element, to a stream's header or its end.
func (c *client) answer(s *scanner, element []byte) {
	switch name := name(element); name {
	case "message":
		c.out = append(c.out, "<message from='"...)
		c.out = append(c.out, c.jid...)
		c.out = append(c.out, '\'')
		c.out = append(c.out, element[len("<message"):]...)
	case "iq":
		c.iq(element)
	case "stream:stream":
		c.out = fmt.Appendf(c.out, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='%s' id='s' version='1.0'><stream:features>", c.domain)
		if c.user == "" {
			c.out = append(c.out, "<mechanisms xmlns='"+saslNS+"'><mechanism>PLAIN</mechanism></mechanisms>"...)
		} else {
			c.out = append(c.out, "<bind xmlns='"+bindNS+"'/>"...)
		}
		c.out = append(c.out, "</stream:features>"...)
	case "auth":
		// RFC 4616: authzid NUL authcid NUL passwd
		plain, _ := base64.StdEncoding.DecodeString(text(element))
		if parts := strings.Split(string(plain), "\x00"); len(parts) == 3 && parts[1] != "" {
			c.user = parts[1]
			c.out = append(c.out, "<success xmlns='"+saslNS+"'/>"...)
			s.restart()
		} else {
			c.out = append(c.out, "<failure xmlns='"+saslNS+"'><malformed-request/></failure>"...)
		}
	case "/stream:stream":
		c.out = append(c.out, "</stream:stream>"...)
	}
}

// iq answers a request with what it asks for, if that is anything.
func (c *client) iq(element []byte) {
	if t := attribute(element, "type"); t != "get" && t != "set" {
		return
	}
	id := attribute(element, "id")
	switch {
	case bytes.Contains(element, []byte(bindNS)):
		resource := "r"
		if _, after, ok := bytes.Cut(element, []byte("<resource>")); ok {
			r, _, _ := bytes.Cut(after, []byte("<"))
			resource = string(r)
		}
		c.jid = c.user + "@" + c.domain + "/" + resource
		c.out = fmt.Appendf(c.out, "<iq type='result' id='%s'><bind xmlns='%s'><jid>%s</jid></bind></iq>", id, bindNS, c.jid)
	case bytes.Contains(element, []byte("jabber:iq:roster")):
		c.out = fmt.Appendf(c.out, "<iq type='result' id='%s' to='%s'><query xmlns='jabber:iq:roster'/></iq>", id, c.jid)
	default:
		c.out = fmt.Appendf(c.out, "<iq type='result' id='%s' to='%s'/>", id, c.jid)
	}
}
