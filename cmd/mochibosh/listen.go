package main

import (
	"errors"
	"net"
	"net/netip"
	"runtime"

	"github.com/pires/go-proxyproto"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// listen opens all addresses, or none. Of the listeners, those from secure on
// are for TLS.
func listen(s *settings, limiter *connections) (all []net.Listener, secure int, err error) {
	proxies, err := s.proxies()
	if err != nil {
		return nil, 0, err
	}
	open := func(addresses []string, ours bool) {
		for _, a := range addresses {
			l, e := net.Listen("tcp", a)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			if !ours {
				l = &boundedListener{Listener: l, limiter: limiter}
			}
			if s.ProxyProtocol {
				l = &proxyproto.Listener{Listener: l, ConnPolicy: proxyPolicy(proxies), ReadHeaderTimeout: s.HeaderTimeout}
			}
			all = append(all, l)
		}
	}
	// Our own server bounds the connections itself; what is around a socket would
	// keep it from being served there.
	open(s.Listen, runtime.GOOS == "linux" && !s.ProxyProtocol)
	secure = len(all)
	open(s.TLSListen, false)
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
