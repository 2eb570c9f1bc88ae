//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// A server is where connections lead.
type server struct {
	loop *epoll.Loop
	addr *net.TCPAddr
}

// An exchange is a keep-alive connection with one request under way.
type exchange struct {
	server   *server
	conn     *epoll.Conn
	busy     bool
	in, out  []byte
	onAnswer func(wire.Answer)
	onFail   func(error)
}

func (e *exchange) get(path, header string) {
	e.out = fmt.Appendf(e.out[:0], "GET %s HTTP/1.1\r\nHost: %v\r\n%s\r\n", path, e.server.addr, header)
	e.send()
}

func (e *exchange) post(path string, body []byte) {
	e.out = fmt.Appendf(e.out[:0], "POST %s HTTP/1.1\r\nHost: %v\r\nContent-Type: text/plain\r\nContent-Length: ", path, e.server.addr)
	e.out = strconv.AppendInt(e.out, int64(len(body)), 10)
	e.out = append(e.out, "\r\n\r\n"...)
	e.out = append(e.out, body...)
	e.send()
}

func (e *exchange) send() {
	if e.conn == nil {
		var err error
		if e.conn, err = e.server.loop.Dial(e.server.addr, e.data, e.closed); err != nil {
			e.onFail(err)
			return
		}
	}
	e.busy = true
	e.conn.Write(e.out)
}

func (e *exchange) closed(err error) {
	e.conn, e.in = nil, nil
	if e.busy {
		e.busy = false
		e.onFail(fmt.Errorf("a request was under way: %w", err))
	}
}

func (e *exchange) close() {
	e.conn.Close()
	e.conn, e.busy = nil, false
}

func (e *exchange) data(data []byte) {
	if len(e.in) > 0 {
		e.in = append(e.in, data...)
		data = e.in
	}
	answer, length, err := wire.ParseAnswer(data)
	switch {
	case err != nil:
		e.conn.End(err)
	case length == 0:
		e.in = append(e.in[:0], data...)
	default:
		e.in, e.busy = e.in[:0], false
		if answer.Get("connection") == "close" {
			e.close()
		}
		e.onAnswer(answer)
	}
}

// stream sends a GET whose answer never ends: the connection is no exchange any
// more. The subscription stands when the server has said the word, or, without
// one, anything.
func (e *exchange) stream(s *subscriber, path, header, word string) *epoll.Conn {
	st := &stream{s: s, word: []byte(word)}
	e.get(path, "Accept: text/event-stream\r\n"+header)
	if st.conn = e.conn; st.conn != nil {
		st.conn.Handle(st.data, s.fail)
	}
	e.conn, e.busy = nil, false
	return st.conn
}

type stream struct {
	s       *subscriber
	conn    *epoll.Conn
	word    []byte
	begun   bool
	chunked bool
	chunks  wire.Chunks
	in      []byte
}

func (st *stream) data(data []byte) {
	if !st.begun {
		st.in = append(st.in, data...)
		head, length, err := wire.ParseHead(st.in)
		switch {
		case err == nil && length > 0 && head.Status != 200:
			err = fmt.Errorf("no event stream: %s", st.in)
			fallthrough
		case err != nil:
			st.conn.End(err)
			return
		case length == 0:
			return
		}
		st.begun, st.chunked = true, head.Chunked()
		data, st.in = st.in[length:], nil
		st.emit(nil)
	}
	if !st.chunked {
		st.emit(data)
		return
	}
	if st.chunks.Decode(data, st.emit); st.chunks.Ended {
		st.conn.End(errors.New("the event stream ended"))
	}
}

func (st *stream) emit(data []byte) {
	if !st.s.ready && bytes.Contains(data, st.word) {
		st.s.subscribed()
	}
	st.s.piece(data)
}

// A socket is a WebSocket.
type socket struct {
	s      *subscriber
	conn   *epoll.Conn
	onOpen func()
	onText func([]byte)
	open   bool
	in     []byte
}

func dialSocket(s *subscriber, srv *server, path, protocol string) (*socket, error) {
	c := &socket{s: s, onOpen: s.subscribed, onText: s.whole}
	var err error
	if c.conn, err = srv.loop.Dial(srv.addr, c.data, s.fail); err == nil {
		c.conn.Write(wire.Upgrade(path, srv.addr.String(), protocol))
	}
	return c, err
}

func (c *socket) send(text string) { c.conn.Write(wire.AppendFrame(nil, wire.Text, text)) }

func (c *socket) close() {
	if c != nil {
		c.conn.Close()
	}
}

func (c *socket) data(data []byte) {
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		data = c.in
	}
	if !c.open {
		head, length, err := wire.ParseHead(data)
		if err == nil && length > 0 && head.Status != 101 {
			err = fmt.Errorf("no WebSocket: %s", data)
		}
		if err != nil {
			c.conn.End(err)
			return
		}
		if length > 0 {
			c.open = true
			c.onOpen()
		}
		data = data[length:]
	}
	for c.open && c.conn.Open() {
		frame, length, err := wire.ParseFrame(data)
		if err != nil {
			c.conn.End(err)
			return
		}
		if length == 0 {
			break
		}
		switch data = data[length:]; frame.Opcode {
		case wire.Close:
			c.conn.End(fmt.Errorf("closed: %q", frame.Payload))
		case wire.Ping:
			c.conn.Write(wire.AppendFrame(nil, wire.Pong, string(frame.Payload)))
		case wire.Pong:
		default:
			c.onText(frame.Payload)
		}
	}
	if c.in = append(c.in[:0], data...); len(c.in) == 0 {
		c.in = nil
	}
}
