package main

import (
	"net"
	"testing"
	"time"
)

func TestConnectionsAreBounded(t *testing.T) {
	listeners, _, err := listen(&settings{Listen: []string{"127.0.0.1:0"}, MaxConnections: 1})
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
		c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	dial()
	select {
	case <-accepted:
		t.Fatal("a second connection")
	case <-time.After(20 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives back one slot only
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
