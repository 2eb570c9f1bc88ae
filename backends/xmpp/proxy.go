package xmpp

import (
	"context"
	"net"

	"github.com/pires/go-proxyproto"
)

type addrsKey struct{}

// addrs are the ends of a client's connection.
type addrs struct{ client, local net.Addr }

// remember keeps for announce what is only known as long as the client's
// connection is there.
func (r *Relay) remember(ctx context.Context, rt *route) context.Context {
	if rt.Proxy == 0 || r.opts.ClientAddr == nil {
		return ctx
	}
	client, local := r.opts.ClientAddr(ctx)
	return context.WithValue(ctx, addrsKey{}, addrs{client, local})
}

// announce tells the server the client's address, before anything else is
// written. Without one it says that the connection is the relay's own.
func (r *Relay) announce(ctx context.Context, rt *route, conn net.Conn) error {
	if rt.Proxy == 0 {
		return nil
	}
	a, _ := ctx.Value(addrsKey{}).(addrs)
	_, err := proxyproto.HeaderProxyFromAddrs(byte(rt.Proxy), a.client, a.local).WriteTo(conn)
	return err
}
