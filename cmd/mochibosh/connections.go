package main

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// connections counts connections, all together and by the network that they
// come from, but for those of trusted proxies. It is an httpd.Limiter, and bounds
// the listeners that are not for that server.
type connections struct {
	most       int
	perNetwork int // zero: any number
	proxies    clientaddr.Proxies
	logger     *slog.Logger
	limited    func(setting string)

	mu       sync.Mutex
	open     int
	networks map[netip.Prefix]int
	full     bool // and it was logged
}

func newConnections(s *settings, logger *slog.Logger) (*connections, error) {
	proxies, err := s.proxies()
	return &connections{
		most:       s.MaxConnections,
		perNetwork: s.MaxConnectionsPerIP,
		proxies:    proxies,
		logger:     logger,
		limited:    func(string) {},
		networks:   make(map[netip.Prefix]int),
	}, err
}

// Enter implements httpd.Limiter. Who has too many is logged once, until they
// are fewer.
func (c *connections) Enter(remote string) bool {
	from, counts := c.network(remote)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.networks[from]
	switch {
	case c.open >= c.most:
		c.limited("max-connections")
		if !c.full {
			c.logger.Warn("too many connections, more are closed", "connections", c.open)
		}
		c.full = true
		return false
	case counts && n > c.perNetwork: // one more says that it was logged
		c.limited("max-connections-per-ip")
		return false
	case counts && n == c.perNetwork:
		c.limited("max-connections-per-ip")
		c.networks[from]++
		c.logger.Warn("too many connections of one client, more are closed", "network", from.String(), "connections", n)
		return false
	}
	c.open++
	if counts {
		c.networks[from]++
	}
	return true
}

// Leave implements httpd.Limiter.
func (c *connections) Leave(remote string) {
	from, counts := c.network(remote)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	c.full = false
	if !counts {
		return
	}
	n := min(c.networks[from], c.perNetwork) - 1
	if c.networks[from] = n; n <= 0 {
		delete(c.networks, from)
	}
}

// network returns whose connection it is, if that counts.
func (c *connections) network(remote string) (netip.Prefix, bool) {
	a, err := netip.ParseAddrPort(remote)
	if err != nil || c.perNetwork <= 0 || c.proxies.Trust(a.Addr()) {
		return netip.Prefix{}, false
	}
	return networkOf(a.Addr())
}

// A boundedListener accepts what the limiter lets in.
type boundedListener struct {
	net.Listener
	limiter *connections
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.limiter.Enter(c.RemoteAddr().String()) {
			return &boundedConn{Conn: c, limiter: l.limiter}, nil
		}
		c.Close()
	}
}

type boundedConn struct {
	net.Conn
	limiter *connections
	close   sync.Once
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
	c.close.Do(func() { c.limiter.Leave(c.RemoteAddr().String()) })
	return err
}
