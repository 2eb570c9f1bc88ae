package nodes_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// This file has what can be cut.

var errCut = errors.New("cut off")

// A line is connections that can be cut.
type line struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// pretend leaves the connections that there are.
func (l *line) pretend(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// add has connections be cut with the line. It reports whether it is not now.
func (l *line) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.conns = append(l.conns, conns...)
	}
	return !l.cut
}

// A wire is how a node comes to NATS, and to the store.
type wire struct {
	line
	server *server.Server
	url    string // set: over loopback
}

// deafen takes the connection away, once: what is said until there is another one is
// not heard.
func (w *wire) deafen() {
	w.set(true)
	w.set(false)
}

func (w *wire) dial() (net.Conn, error) {
	if w.url != "" {
		return net.Dial("tcp", w.url)
	}
	return w.server.InProcessConn()
}

// InProcessConn implements nats.InProcessConnProvider.
func (w *wire) InProcessConn() (net.Conn, error) {
	if w.isCut() {
		return nil, errCut
	}
	c, err := w.dial()
	if err == nil && !w.add(c) {
		c.Close()
		return nil, errCut
	}
	return c, err
}

// A road is how servers of NATS come to each other.
type road struct {
	line
	listener net.Listener
	to       string
}

func newRoad(t *testing.T, to string) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: l, to: to}
	go r.serve()
	t.Cleanup(func() {
		l.Close()
		r.set(true)
	})
	return r
}

func (r *road) serve() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		d, err := net.Dial("tcp", r.to)
		if err != nil {
			c.Close()
			continue
		}
		if !r.add(c, d) {
			c.Close()
			d.Close()
			continue
		}
		go io.Copy(c, d)
		go io.Copy(d, c)
	}
}
