package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/pires/go-proxyproto"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// listen opens all addresses, or none. Of the listeners, those from secure on
// are for TLS.
func listen(s *settings) (all []net.Listener, secure int, err error) {
	proxies, err := s.proxies()
	if err != nil {
		return nil, 0, err
	}
	var slots chan struct{}
	if s.MaxConnections > 0 {
		slots = make(chan struct{}, s.MaxConnections)
	}
	open := func(addresses []string) {
		for _, a := range addresses {
			l, e := net.Listen("tcp", a)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			if slots != nil {
				l = &boundedListener{Listener: l, slots: slots, closed: make(chan struct{})}
			}
			if s.ProxyProtocol {
				l = &proxyproto.Listener{Listener: l, ConnPolicy: proxyPolicy(proxies), ReadHeaderTimeout: s.HeaderTimeout}
			}
			all = append(all, l)
		}
	}
	open(s.Listen)
	secure = len(all)
	open(s.TLSListen)
	if err != nil {
		for _, l := range all {
			l.Close()
		}
		return nil, 0, err
	}
	return all, secure, nil
}

// proxyPolicy demands the PROXY protocol of trusted proxies, and knows none
// from others: its specification forbids to guess.
func proxyPolicy(proxies clientaddr.Proxies) proxyproto.ConnPolicyFunc {
	return func(c proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
		if a, err := netip.ParseAddrPort(c.Upstream.String()); err == nil && proxies.Trust(a.Addr()) {
			return proxyproto.REQUIRE, nil
		}
		return proxyproto.SKIP, nil
	}
}

// A boundedListener accepts no more connections than there are slots: more
// wait in the queue of the system.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	close  sync.Once
	closed chan struct{}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: c, slots: l.slots}, nil
}

func (l *boundedListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	slots chan struct{}
	close sync.Once
}

// CloseWrite lets net/http end an answer while what the client still sends can
// be read.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.close.Do(func() { <-c.slots })
	return err
}
