package xmpp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A Relay connects each stream with the XMPP server of its domain. It is a
// [transport.Backend]; its methods may be called from many goroutines at once.
type Relay struct {
	opts   Options
	limits xmlframe.Limits
	parent *httpd.Parent // of connections that wait for their server
	table  atomic.Pointer[table]
	change sync.Mutex // one SetRoutes at a time
}

// table is what a relay serves at one time; it never changes.
type table struct {
	routes map[string]*route
	gone   map[string]bool // served once
}

// NewRelay returns a relay. With nil options it serves no domain. There is
// nothing to close: connections end with their sessions. The error is that of
// [Relay.SetRoutes].
func NewRelay(opts *Options) (*Relay, error) {
	r := &Relay{opts: opts.withDefaults()}
	r.parent = httpd.NewParent(r.opts.WriteTimeout)
	r.limits = xmlframe.Limits{MaxBytes: r.opts.MaxStanza, MaxDepth: r.opts.MaxDepth, MaxAttributes: r.opts.MaxAttributes}
	r.table.Store(&table{})
	return r, r.SetRoutes(r.opts.Routes)
}

// SetRoutes replaces all routes, for streams that are opened from now on;
// those that run keep their server. Clients of a domain that is left out are
// told that it is gone.
//
// An error is of every route that does not work, a file that cannot be read
// among them; then the routes stay as they were.
func (r *Relay) SetRoutes(routes map[string]Route) error {
	r.change.Lock()
	defer r.change.Unlock()
	next := &table{routes: make(map[string]*route), gone: make(map[string]bool)}
	var errs []error
	for _, domain := range slices.Sorted(maps.Keys(routes)) {
		ready, err := routes[domain].prepare(domain)
		if err == nil && next.routes[ready.domain] != nil {
			err = errors.New("has two routes")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("xmpp: domain %q: %w", domain, err))
			continue
		}
		next.routes[ready.domain] = ready
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	old := r.table.Load()
	for _, domain := range slices.Concat(slices.Collect(maps.Keys(old.gone)), slices.Collect(maps.Keys(old.routes))) {
		if next.routes[domain] == nil {
			next.gone[domain] = true
		}
	}
	r.table.Store(next)
	return nil
}

// Serves reports whether there is a route for the domain. For another, Open
// says whether there was one.
func (r *Relay) Serves(domain string) bool {
	return r.table.Load().routes[strings.ToLower(domain)] != nil
}

// Open implements [transport.Backend]. It connects to nothing yet: the header
// of the stream needs what the client's <open/> says.
//
// Errors, as *transport.Termination: HostUnknown, or HostGone for a domain
// that SetRoutes has left out.
func (r *Relay) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	domain, t := strings.ToLower(st.Target()), r.table.Load()
	switch {
	case t.routes[domain] != nil:
		rt := t.routes[domain]
		return newStream(r.remember(ctx, rt), r, rt, st), nil
	case t.gone[domain]:
		return nil, &transport.Termination{Condition: transport.HostGone, Text: "this domain is no longer served here"}
	}
	return nil, &transport.Termination{Condition: transport.HostUnknown, Text: "this domain is not served here"}
}
