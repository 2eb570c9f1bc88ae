package xmpp

import (
	"context"
	"strings"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A Relay connects each stream with the XMPP server of its domain. It is a
// [transport.Backend]; its methods may be called from many goroutines at once.
type Relay struct {
	opts   Options
	limits xmlframe.Limits
	routes map[string]*route
}

// NewRelay returns a relay. With nil options it serves no domain. There is
// nothing to close: connections end with their sessions.
func NewRelay(opts *Options) *Relay {
	r := &Relay{opts: opts.withDefaults(), routes: make(map[string]*route)}
	r.limits.MaxBytes = r.opts.MaxStanza
	for domain, rt := range r.opts.Routes {
		ready := rt.prepare(domain)
		if ready.err != nil {
			r.opts.Logger.Error("xmpp: domain without authorities", "domain", ready.domain, "error", ready.err)
		}
		r.routes[ready.domain] = ready
	}
	return r
}

// Open implements [transport.Backend]. It connects to nothing yet: the header
// of the stream needs what the client's <open/> says.
//
// Errors, as *transport.Termination: HostUnknown; Internal, if the route's
// CAFile could not be read.
func (r *Relay) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	rt, ok := r.routes[strings.ToLower(st.Target())]
	switch {
	case !ok:
		return nil, unknown()
	case rt.err != nil:
		return nil, &transport.Termination{Condition: transport.Internal, Err: rt.err}
	}
	return newStream(ctx, r, rt, st), nil
}
