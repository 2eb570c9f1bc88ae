package xmpp

import (
	"context"
	"net"

	"github.com/pires/go-proxyproto"
)

// announce tells the server the client's address, before anything else is
// written. Without one it says that the connection is the relay's own.
func (r *Relay) announce(ctx context.Context, rt *route, conn net.Conn) error {
	if rt.Proxy == 0 {
		return nil
	}
	var client, local net.Addr
	if r.opts.ClientAddr != nil {
		client, local = r.opts.ClientAddr(ctx)
	}
	_, err := proxyproto.HeaderProxyFromAddrs(byte(rt.Proxy), client, local).WriteTo(conn)
	return err
}
