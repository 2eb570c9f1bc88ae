package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestConnections(t *testing.T) {
	var log bytes.Buffer
	c, err := newConnections(&settings{MaxConnections: 5, MaxConnectionsPerIP: 2, TrustedProxies: []string{"198.51.100.1"}},
		slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(remote string, in bool) {
		t.Helper()
		if got := c.Enter(remote); got != in {
			t.Errorf("%s gets in: %v", remote, got)
		}
	}
	wantLogged := func(text string, times int) {
		t.Helper()
		if got := strings.Count(log.String(), text); got != times {
			t.Errorf("%q was logged %d times:\n%s", text, got, log.String())
		}
	}
	want("192.0.2.1:1", true)
	want("192.0.2.1:2", true)
	want("192.0.2.1:3", false)
	want("192.0.2.1:3", false)
	want("[::ffff:192.0.2.1]:3", false)
	wantLogged("of one client", 1)
	c.Leave("192.0.2.1:1")
	want("192.0.2.1:3", true)
	want("192.0.2.1:4", false)
	wantLogged("of one client", 2)
	want("198.51.100.1:1", true) // a proxy is many
	want("198.51.100.1:2", true)
	want("198.51.100.1:3", true)
	want("198.51.100.1:4", false)
	want("[2001:db8::1]:1", false)
	wantLogged("too many connections, ", 1)
	for _, remote := range []string{"198.51.100.1:1", "198.51.100.1:2", "198.51.100.1:3", "192.0.2.1:2", "192.0.2.1:3"} {
		c.Leave(remote)
	}
	want("[2001:db8::1]:1", true)
	want("[2001:db8::2]:1", true)
	want("[2001:db8::3]:1", false) // a network of IPv6 is one client
	want("[2001:db8:0:1::]:1", true)
	c.Leave("[2001:db8::1]:1")
	c.Leave("[2001:db8::2]:1")
	c.Leave("[2001:db8:0:1::]:1")
	if c.open != 0 || len(c.networks) != 0 {
		t.Errorf("%d are open, %v are remembered", c.open, c.networks)
	}
}

// Listeners that are not for our own server are bounded as well.
func TestListenersAreBounded(t *testing.T) {
	s := &settings{TLSListen: []string{"127.0.0.1:0"}, MaxConnections: 1}
	limiter, _ := newConnections(s, slog.New(slog.DiscardHandler))
	listeners, _, err := listen(s, limiter)
	if err != nil {
		t.Fatal(err)
	}
	l := listeners[0]
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	if n, err := dial().Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from a connection too many", n)
	}
	first.Close()
	first.Close() // counts once
	dial()
	second, ok := <-accepted
	if !ok {
		t.Fatal("no second connection when the first was gone")
	}
	l.Close()
	if _, ok := <-accepted; ok {
		t.Error("accepted after the end")
	}
	second.Close()
}
