//go:build linux

package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/wire"
)

// An exchanger is a keep-alive connection with one request at a time.
type exchanger struct {
	head     string // of each request, up to the length
	conn     *epoll.Conn
	redial   func() (*epoll.Conn, error)
	busy     bool
	rid      int // of the request under way
	in       []byte
	out      []byte
	requests *int
	onBody   func(e *exchanger, body []byte)
	fail     func(error)
}

func newExchanger(l *epoll.Loop, addr *net.TCPAddr, t target, onBody func(*exchanger, []byte), fail func(error)) *exchanger {
	e := &exchanger{
		head:   fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: ", t.path, addr),
		onBody: onBody, fail: fail, requests: t.requests,
	}
	e.redial = func() (*epoll.Conn, error) { return l.Dial(addr, e.data, e.closed) }
	return e
}

// post sends a request. A connection is made when there is none.
func (e *exchanger) post(body []byte) {
	if e.conn == nil {
		var err error
		if e.conn, err = e.redial(); err != nil {
			e.fail(err)
			return
		}
	}
	e.busy = true
	*e.requests++
	e.out = append(e.out[:0], e.head...)
	e.out = strconv.AppendInt(e.out, int64(len(body)), 10)
	e.out = append(e.out, "\r\n\r\n"...)
	e.conn.Write(append(e.out, body...))
}

func (e *exchanger) closed(err error) {
	e.conn, e.in = nil, e.in[:0]
	if e.busy {
		e.busy = false
		e.fail(fmt.Errorf("a request was under way: %w", err))
	}
}

func (e *exchanger) data(data []byte) {
	if len(e.in) > 0 {
		e.in = append(e.in, data...)
		data = e.in
	}
	answer, length, err := wire.ParseAnswer(data)
	switch {
	case err == nil && length > 0 && answer.Status != 200:
		err = fmt.Errorf("the answer is %s", data)
		fallthrough
	case err != nil:
		e.conn.End(err)
	case length == 0:
		e.in = append(e.in[:0], data...)
	default:
		e.in = e.in[:0]
		e.onBody(e, answer.Body)
	}
}

// echo is a server of HTTP that sends back what it gets: the floor of BOSH.
// Each request has the size that one of BOSH has.
type echo struct {
	s     *session
	conn  *exchanger
	queue []byte
	rid   int
}

func dialEcho(l *epoll.Loop, addr *net.TCPAddr, t target, s *session) (carrier, error) {
	c := &echo{s: s, rid: firstRID}
	c.conn = newExchanger(l, addr, t, c.body, s.fail)
	return c, nil
}

// There is no login.
func (c *echo) open() {
	c.s.step, c.s.jid = ready, c.s.user+"@im.example/r"
	c.s.onReady()
}

func (c *echo) send(element string) { c.queue = append(c.queue, element...) }

func (c *echo) flush() {
	if len(c.queue) > 0 && !c.conn.busy {
		c.rid++
		c.conn.post(fmt.Appendf(nil, boshBody, c.rid, "0123456789abcdef0123456789abcdef", c.queue))
		c.queue = c.queue[:0]
	}
}

func (c *echo) end() { c.s.fail(nil) }

func (c *echo) body(e *exchanger, body []byte) {
	e.busy = false
	c.s.text(body, true)
	c.flush()
}
