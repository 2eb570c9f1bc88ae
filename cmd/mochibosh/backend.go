package main

import (
	"context"
	"fmt"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// A backend leads each stream to the XMPP server of its domain, or to the bus.
type backend struct {
	relay   *xmpp.Relay
	bus     *bus.Bus // nil: off
	busName string
	mayPush func(context.Context) bool

	sessions *register
}

// Open implements transport.Backend. A session of push.v1 has the bus only,
// and one of XMPP over WebSocket only servers: neither speaks the other's
// language. BOSH carries both.
func (b *backend) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	b.sessions.opened(ctx, st.Session())
	protocol, target := st.Session().Params().Protocol, st.Target()
	toBus := target == b.busName || target == "" && protocol == push.Protocol
	switch {
	case toBus && b.bus != nil && protocol != websocket.ProtocolXMPP && b.mayPush(ctx):
		return b.bus.Open(ctx, st)
	case toBus || protocol == push.Protocol:
		return nil, &transport.Termination{Condition: transport.HostUnknown, Text: fmt.Sprintf("nothing here is called %q", target)}
	}
	return b.relay.Open(ctx, st)
}

// Resume implements transport.Resumer: of what goes on in the next process, all
// was with the bus.
func (b *backend) Resume(ctx context.Context, st *transport.Stream, token []byte) (transport.Receiver, error) {
	if b.bus == nil {
		return nil, &transport.Termination{Condition: transport.HostGone, Text: "there is no event bus any more"}
	}
	return b.bus.Resume(ctx, st, token)
}

// Settle implements transport.Settler.
func (b *backend) Settle(ctx context.Context) error {
	if b.bus == nil {
		return nil
	}
	return b.bus.Settle(ctx)
}
