package xmpp

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
)

// An endpoint is one place to try.
type endpoint struct {
	addr string // host:port
	mode TLSMode
}

// A record is an SRV record and what it promises.
type record struct {
	*net.SRV
	mode TLSMode
}

// errNoService is the answer of a domain that says it has no such service.
var errNoService = errors.New("the domain says that it has no XMPP service")

// endpoints returns where to connect to, in the order to try.
func (r *Relay) endpoints(ctx context.Context, rt *route) ([]endpoint, error) {
	if rt.Addr != "" {
		// RFC 6120 §3.2.3: what is configured is used instead of SRV.
		return []endpoint{{rt.Addr, rt.TLS}}, nil
	}
	return r.lookup(ctx, rt, rt.domain)
}

// elsewhere returns where a server sends clients: see-other-host is host or
// host:port (RFC 6120 §4.9.3.19). How to talk to it stays the same.
func (r *Relay) elsewhere(ctx context.Context, rt *route, host string) ([]endpoint, error) {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return []endpoint{{host, rt.TLS}}, nil
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return []endpoint{{net.JoinHostPort(ip.String(), "5222"), rt.TLS}}, nil
	}
	return r.lookup(ctx, rt, host)
}

// lookup asks the DNS for the servers of a domain.
func (r *Relay) lookup(ctx context.Context, rt *route, domain string) ([]endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.ConnectTimeout)
	defer cancel()
	found, err := r.records(ctx, rt, domain)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		// RFC 6120 §3.2.1: only without any answer, the domain itself.
		mode := STARTTLS
		if rt.TLS == NoTLS {
			mode = NoTLS
		}
		return []endpoint{{net.JoinHostPort(domain, "5222"), mode}}, nil
	}
	offered := slices.DeleteFunc(found, func(rec record) bool { return rec.Target == "." })
	if len(offered) == 0 {
		// RFC 6120 §3.2.1, XEP-0368 §5: "." means no service, and no fall-back.
		return nil, errNoService
	}
	order(offered, rand.IntN)
	out := make([]endpoint, len(offered))
	for i, rec := range offered {
		out[i] = endpoint{net.JoinHostPort(strings.TrimSuffix(rec.Target, "."), strconv.Itoa(int(rec.Port))), rec.mode}
	}
	return out, nil
}

// records returns the SRV records of both kinds (XEP-0368 §3). The error is
// of a look-up that failed while the other one found nothing.
func (r *Relay) records(ctx context.Context, rt *route, domain string) ([]record, error) {
	kinds := []record{{&net.SRV{Target: "xmpps-client"}, DirectTLS}, {&net.SRV{Target: "xmpp-client"}, STARTTLS}}
	if rt.TLS == NoTLS {
		kinds = []record{{&net.SRV{Target: "xmpp-client"}, NoTLS}}
	}
	var out []record
	var failed error
	for _, kind := range kinds {
		_, found, err := r.opts.Resolver.LookupSRV(ctx, kind.Target, "tcp", domain)
		var dns *net.DNSError
		if err != nil && !(errors.As(err, &dns) && dns.IsNotFound) {
			failed = err
		}
		for _, srv := range found {
			out = append(out, record{srv, kind.mode})
		}
	}
	if len(out) == 0 {
		return nil, failed
	}
	return out, nil
}

// order sorts records by priority, and those of one priority by chance in
// proportion to their weights (RFC 2782). intn(n) is a number below n.
func order(recs []record, intn func(int) int) {
	// Those of weight 0 come first, so that they have a small chance.
	slices.SortStableFunc(recs, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	for i := range recs {
		end, sum := i, 0
		for ; end < len(recs) && recs[end].Priority == recs[i].Priority; end++ {
			sum += int(recs[end].Weight)
		}
		n, pick := intn(sum+1), i
		for n -= int(recs[pick].Weight); n > 0; n -= int(recs[pick].Weight) {
			pick++
		}
		chosen := recs[pick]
		copy(recs[i+1:pick+1], recs[i:pick])
		recs[i] = chosen
	}
}
