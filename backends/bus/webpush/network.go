package webpush

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// DefaultHosts are the push services of Chrome and its kin, Firefox, Edge and Safari.
// A name that begins with "*." stands for all below it.
var DefaultHosts = []string{"fcm.googleapis.com", "*.push.services.mozilla.com", "*.notify.windows.com", "*.push.apple.com"}

// special are networks that look public, and lead somewhere else.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

// global are all addresses of IPv6 that lead to somebody.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) (p []netip.Prefix) {
	for _, s := range all {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// public reports whether an address is anybody's on the Internet.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !global.Contains(a) {
		return false
	}
	return !within(special, a)
}

func within(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// reach says where requests may go.
type reach struct {
	hosts    []string
	networks []netip.Prefix
}

// allows refuses addresses to which no request may go. A mapped address of IPv4 is
// that.
func (r *reach) allows(a netip.Addr) error {
	if a = a.Unmap().WithZone(""); within(r.networks, a) || public(a) {
		return nil
	}
	return fmt.Errorf("webpush: %v is no public address", a)
}

// check refuses endpoints whose host or port is not allowed, or which have an address
// that is not. It asks for no name: the dialer looks at what comes of it.
func (r *reach) check(u *url.URL) error {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	forbidden := func(text string) error { return &bus.Error{Code: bus.Forbidden, Text: text} }
	if !slices.ContainsFunc(r.hosts, func(pattern string) bool { return matches(pattern, host) }) {
		return forbidden("endpoint is of no push service that is allowed")
	}
	if p := u.Port(); p != "" && p != "443" && len(r.networks) == 0 {
		return forbidden("endpoint has another port than 443")
	}
	if a, err := netip.ParseAddr(host); err == nil && r.allows(a) != nil {
		return forbidden("endpoint has no public address")
	}
	return nil
}

func matches(pattern, host string) bool {
	below, wild := strings.CutPrefix(pattern, "*")
	return pattern == "*" || pattern == host || wild && len(host) > len(below) && strings.HasSuffix(host, below)
}

// client returns one that connects to what is allowed only, whatever a name resolves
// to at that moment. It takes no proxy, which would connect for it, and follows no
// redirects.
func (r *reach) client(roots *x509.CertPool, timeout time.Duration) *http.Client {
	d := &net.Dialer{Timeout: timeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return r.allows(a.Addr())
	}}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
