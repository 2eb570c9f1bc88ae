package clientaddr

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
)

// A Header says which header the proxies write.
type Header string

const (
	// Either takes whichever is there. Where both are, one may be the
	// client's own, which its proxy passed on: then they must agree, or the
	// proxy is taken for the client.
	Either        Header = "either"
	Forwarded     Header = "forwarded"       // RFC 7239
	XForwardedFor Header = "x-forwarded-for" // with X-Forwarded-Proto and -Host
)

// Handler returns a handler that calls next with requests as the client made
// them: RemoteAddr is the client's; TLS is not nil if the client's connection
// to the outermost trusted proxy was encrypted, and Host is what it asked for
// there, as far as the proxies say so. [From] tells the addresses.
func Handler(next http.Handler, proxies Proxies, header Header) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil { // not over TCP: nobody can be told from anybody
			next.ServeHTTP(w, r)
			return
		}
		peer := netip.AddrPortFrom(said.Addr().Unmap().WithZone(""), said.Port())
		found := hop{client: peer}
		if proxies.Trust(peer.Addr()) {
			found = proxies.find(peer, r.Header, header)
		}
		here := peer.Addr().IsLoopback() && IsLoopback(r.Host) && !passedOn(r.Header)
		r = r.WithContext(&ends{r.Context(), found.client, peer, here})
		if found.client != said {
			r.RemoteAddr = found.client.String()
		}
		if found.host != "" {
			r.Host = found.host
		}
		switch {
		case found.proto == "https" && r.TLS == nil:
			r.TLS = &tls.ConnectionState{} // nothing more is known of it
		case found.proto == "http":
			r.TLS = nil
		}
		next.ServeHTTP(w, r)
	})
}

type contextKey struct{}

// ends is the context of a request, with what is known of its connection.
type ends struct {
	context.Context
	client, peer  netip.AddrPort
	onThisMachine bool
}

// Value implements context.Context.
func (e *ends) Value(key any) any {
	if key == (contextKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// From returns the addresses of the client and of the server's end of the
// connection, as long as that is there, of a request that went through [Handler];
// nil if it did not.
func From(ctx context.Context) (client, local net.Addr) {
	if e, ok := ctx.Value(contextKey{}).(*ends); ok {
		local, _ = e.Context.Value(http.LocalAddrContextKey).(net.Addr)
		return net.TCPAddrFromAddrPort(e.client), local
	}
	return nil, nil
}

// Peer returns who the connection is from: the client, or the nearest proxy.
func Peer(ctx context.Context) netip.AddrPort {
	if e, ok := ctx.Value(contextKey{}).(*ends); ok {
		return e.peer
	}
	return netip.AddrPort{}
}

// OnThisMachine reports whether a request was made by a program on this
// machine, to this machine. Not by a proxy on it for somebody else: those leave
// traces in the header, whatever these say. Nor by a page that had its own name
// lead here (DNS rebinding): the name is in Host.
func OnThisMachine(ctx context.Context) bool {
	e, ok := ctx.Value(contextKey{}).(*ends)
	return ok && e.onThisMachine
}

func passedOn(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// find returns what the trusted proxies say of the client.
func (p Proxies) find(peer netip.AddrPort, h http.Header, which Header) hop {
	standard, x := h["Forwarded"], h["X-Forwarded-For"]
	if which == Forwarded {
		x = nil
	}
	if which == XForwardedFor {
		standard = nil
	}
	var found []hop
	if len(standard) > 0 {
		hops, ok := parseForwarded(standard)
		found = append(found, p.walk(peer, hops, ok))
	}
	if len(x) > 0 {
		hops, ok := parseXForwarded(x, h["X-Forwarded-Proto"], h["X-Forwarded-Host"])
		found = append(found, p.walk(peer, hops, ok))
	}
	switch {
	case len(found) == 0:
		// Some proxies tell the scheme and the host alone.
		if which != Forwarded && (h["X-Forwarded-Proto"] != nil || h["X-Forwarded-Host"] != nil) {
			alone, _ := parseXForwarded([]string{""}, h["X-Forwarded-Proto"], h["X-Forwarded-Host"])
			alone[0].client = peer
			return alone[0]
		}
		return hop{client: peer}
	case len(found) == 1:
		return found[0]
	case found[0].client.Addr() != found[1].client.Addr():
		return hop{client: peer}
	}
	return agreed(found[0], found[1])
}

// agreed returns what both say. Where they contradict each other, the
// connection is taken for one in the clear.
func agreed(a, b hop) hop {
	if a.proto == "" {
		a.proto = b.proto
	} else if b.proto != "" && a.proto != b.proto {
		a.proto = "http"
	}
	if a.host == "" {
		a.host = b.host
	} else if b.host != "" && a.host != b.host {
		a.host = ""
	}
	return a
}

// walk goes from the right through the proxies that are trusted.
func (p Proxies) walk(peer netip.AddrPort, hops []hop, ok bool) hop {
	if !ok || len(hops) == 0 {
		return hop{client: peer}
	}
	last := peer
	for i := len(hops) - 1; i >= 0; i-- {
		h := hops[i]
		if !h.client.IsValid() { // the proxy is the last that is known
			h.client = last
			return h
		}
		if i == 0 || !p.Trust(h.client.Addr()) {
			return h
		}
		last = h.client
	}
	return hop{client: last}
}
