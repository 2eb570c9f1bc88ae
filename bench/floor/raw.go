package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
)

// serveRaw has a goroutine that reads for each socket; who publishes writes.
func serveRaw(ln net.Listener, ts *topics) error {
	ts.make = func(text []byte) *message {
		return &message{
			text:   text,
			answer: answer(text),
			event:  fmt.Appendf(nil, "data: %s\n\n", text),
			frame:  append([]byte{0x81, byte(len(text))}, text...), // messages are shorter than 126 bytes
		}
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go (&rawConn{Conn: conn, topics: ts}).serve()
	}
}

func answer(text []byte) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

type rawConn struct {
	net.Conn
	topics *topics
}

func (c *rawConn) serve() {
	defer c.Close()
	var buf [1024]byte
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		head, rest, whole := bytes.Cut(buf[:n], []byte("\r\n\r\n"))
		if !whole || len(rest) < contentLength(head) {
			continue
		}
		n = 0
		c.request(head, rest)
	}
}

func contentLength(head []byte) int {
	_, value, _ := bytes.Cut(head, []byte("Content-Length: "))
	value, _, _ = bytes.Cut(value, []byte("\r\n"))
	n, _ := strconv.Atoi(string(value))
	return n
}

func (c *rawConn) request(head, body []byte) {
	fields := bytes.Fields(head)
	target, err := url.Parse(string(fields[1]))
	if err != nil {
		return
	}
	query := target.Query()
	t := c.topics.get(query.Get("id"))
	switch target.Path {
	case "/pub":
		t.publish(c.topics.make(bytes.Clone(body)))
		c.Write(answer(nil))
	case "/lp":
		after, _ := strconv.Atoi(query.Get("after"))
		c.poll(t, after)
	case "/sse":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		t.subscribe(func(m *message) { c.Write(m.event) })
	case "/ws":
		_, key, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
		key, _, _ = bytes.Cut(key, []byte("\r\n"))
		accept := sha1.Sum(append(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			base64.StdEncoding.EncodeToString(accept[:]))
		t.subscribe(func(m *message) { c.Write(m.frame) })
	}
}

func (c *rawConn) poll(t *topic, after int) {
	p, messages := t.poll(after, c.topics.hold, func(messages []*message) {
		if len(messages) == 1 {
			c.Write(messages[0].answer)
			return
		}
		c.Write(answer(nil))
	})
	if p != nil {
		return
	}
	var text []byte
	for _, m := range messages {
		text = append(text, m.text...)
	}
	c.Write(answer(text))
}
