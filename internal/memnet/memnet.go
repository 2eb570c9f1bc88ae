// Package memnet is a network inside the process, for tests: an http.Server
// listens on it and an http.Transport dials it, without sockets, so both work
// in a testing/synctest bubble, where time stands still until everybody waits.
//
// A connection is a [net.Pipe]: deadlines work, and a write returns when the
// other side has read it. Nothing is buffered.
package memnet

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A Listener accepts the connections that its own Dial makes. It is a
// net.Listener; all methods may be called from many goroutines at once.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener. In a bubble, it is to be made in there.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next connection; net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close stops Accept and Dial. Connections live on.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns the one address there is.
func (l *Listener) Addr() net.Addr { return addr{} }

// Dial connects to the listener, once Accept takes the connection.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- conn{server}:
		return conn{client}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport returns a transport all of whose connections go to the listener,
// whatever the address. CloseIdleConnections ends its goroutines.
func (l *Listener) Transport() *http.Transport {
	return &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) },
		DisableCompression: true,
	}
}

// conn is a pipe whose ends have an address that looks like one of a socket,
// since code splits it into host and port.
type conn struct{ net.Conn }

func (conn) LocalAddr() net.Addr  { return addr{} }
func (conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "mem" }
func (addr) String() string  { return "192.0.2.1:80" }
