// Package pipelined lets a handler know that its client sent another request
// on the same connection of HTTP/1.1 before it got the answer. net/http begins
// with that one only when the handler has returned, so one that holds requests
// is to let go then (RFC 9112 §9.3.2: answers come in the order of requests).
//
//	client ─▶ conn ─▶ net/http ─▶ handler ─▶ Watch
//	           └───── "there is more" ───────▶┘
//
// All else of net/http works as it does without: HTTP/2, where nothing stands
// in the way, TLS, Hijack, time-outs and sendfile.
package pipelined

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshakeTimeout bounds the handshake of TLS.
const handshakeTimeout = 10 * time.Second

// Listen returns a listener for a server to serve on instead of ln, which
// [crypto/tls.NewListener] may have made. The server's ConnContext must be [ConnContext],
// or call it.
func Listen(ln net.Listener) net.Listener {
	l := &listener{Listener: ln, conns: make(chan accepted)}
	l.open, l.close = context.WithCancel(context.Background())
	return l
}

// A listener makes the handshake of TLS before it hands on a connection, since
// only then it is known whether that is one for HTTP/1.1.
type listener struct {
	net.Listener
	conns chan accepted
	begin sync.Once
	open  context.Context
	close context.CancelFunc
}

type accepted struct {
	conn net.Conn
	err  error
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.begin.Do(func() { go l.accept() })
	select {
	case a := <-l.conns:
		return a.conn, a.err
	case <-l.open.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Handshakes under way are broken off.
func (l *listener) Close() error {
	l.close()
	return l.Listener.Close()
}

func (l *listener) accept() {
	for l.open.Err() == nil {
		nc, err := l.Listener.Accept()
		switch c := nc.(type) {
		case nil:
			l.hand(nil, err)
		case *tls.Conn:
			go l.shake(c)
		default:
			l.hand(&conn{Conn: c}, nil)
		}
	}
}

func (l *listener) hand(c net.Conn, err error) {
	select {
	case l.conns <- accepted{c, err}:
	case <-l.open.Done():
		if c != nil {
			c.Close()
		}
	}
}

// shake makes the handshake. What failed is for net/http to log and to answer.
func (l *listener) shake(c *tls.Conn) {
	ctx, cancel := context.WithTimeout(l.open, handshakeTimeout)
	defer cancel()
	if c.HandshakeContext(ctx) == nil && oneByOne(c.ConnectionState().NegotiatedProtocol) {
		l.hand(secureConn{&conn{Conn: c}}, nil)
		return
	}
	l.hand(c, nil)
}

// oneByOne reports whether a protocol is one whose requests are answered in
// order.
func oneByOne(protocol string) bool {
	return protocol == "" || protocol == "http/1.1" || protocol == "http/1.0"
}
