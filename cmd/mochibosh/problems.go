package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// problems are what works, but hardly as it is meant.
func (s *settings) problems(now time.Time) (all []string) {
	found := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, a := range slices.Concat(s.Listen, s.TLSListen) {
		if _, port, _ := net.SplitHostPort(a); blockedPort(port) {
			found("listen %s: browsers refuse to connect to port %s", a, port)
		}
	}
	routes, _ := parseRoutes(s.XMPP)
	for domain, r := range routes {
		if host, _, _ := net.SplitHostPort(r.Addr); r.TLS == xmpp.NoTLS && !clientaddr.IsLoopback(host) {
			found("xmpp %s: passwords travel in clear to %s", domain, cmp.Or(r.Addr, "its server"))
		}
	}
	slices.Sort(all)
	proxies, _ := s.proxies()
	for _, p := range proxies {
		if p.Bits() == 0 {
			found("trusted-proxies %s: anybody may claim any address", p)
		}
	}
	for _, p := range s.busProblems() {
		found("%s", p)
	}
	if strings.HasPrefix(s.PublicURL, "http:") && !clientaddr.IsLoopback(hostOf(s.PublicURL)) {
		found("public-url %s: clients accept https only from host-meta", s.PublicURL)
	}
	wait, inactivity := cmp.Or(s.BOSHWait, bosh.DefaultWait), cmp.Or(s.BOSHInactivity, bosh.DefaultInactivity)
	if inactivity > 0 && inactivity*10 < wait*11 {
		found("bosh-inactivity %v: clients repeat a lost request after 1.1 times bosh-wait, %v; their session is gone then", inactivity, wait)
	}
	if s.IdleTimeout < inactivity {
		found("idle-timeout %v: connections are closed before a client has to come back (bosh-inactivity %v)", s.IdleTimeout, inactivity)
	}
	if s.MaxBody < s.MaxStanza {
		found("max-body %v: a stanza of max-stanza %v does not fit in", s.MaxBody, s.MaxStanza)
	}
	if certificates, err := s.certificates(); err == nil {
		for i, c := range certificates {
			switch left := c.Leaf.NotAfter.Sub(now); {
			case left < 0:
				found("tls-cert %s: expired on %s", s.TLSCert[i], c.Leaf.NotAfter.Format(time.DateOnly))
			case left < 14*24*time.Hour:
				found("tls-cert %s: expires on %s", s.TLSCert[i], c.Leaf.NotAfter.Format(time.DateOnly))
			case now.Before(c.Leaf.NotBefore):
				found("tls-cert %s: not valid before %s", s.TLSCert[i], c.Leaf.NotBefore.Format(time.DateOnly))
			}
		}
	}
	return all
}

// busProblems are those of the event bus.
func (s *settings) busProblems() (all []string) {
	found := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	tokens := len(s.TokenKey) > 0 || s.TokenJWKS != "" || s.Webhook != ""
	rules, _ := parseRules(s.Allow)
	anonymous := slices.ContainsFunc(rules, func(r auth.Rule) bool { return r.Who == auth.Anonymous || r.Who == auth.Anybody })
	if s.Push == "on" && s.Dev {
		found("dev, push on: whomever a proxy or a page brings to this machine may do everything")
	}
	if s.Push == "on" && anonymous && slices.Contains(s.AllowOrigin, "*") {
		found("push on, allow-origin *: any page may do what allow lets anonymous clients do")
	}
	for _, r := range rules {
		if s.Push == "on" && (r.Who == auth.Anonymous || r.Who == auth.Anybody) && slices.Contains(r.Can, auth.Publish) {
			found("allow %s: whoever gets here may publish in %s", r.Who, r.Pattern)
		}
	}
	if s.Push == "on" && !s.Dev && !tokens && !anonymous {
		found("push on: nobody may do anything on the event bus; allow, token-key, token-jwks or webhook say who may, and dev lets everybody")
	}
	if !tokens && slices.ContainsFunc(rules, func(r auth.Rule) bool { return r.Who != auth.Anonymous && r.Who != auth.Anybody }) {
		found("allow: there are rules for users, but no token is accepted: token-key, token-jwks and webhook are missing")
	}
	if tokens && s.TokenAudience == "" && s.Webhook == "" {
		found("token-audience: not set, so tokens that were made for something else are good here")
	}
	return all
}

// blockedPort reports whether the Fetch standard forbids the port, of those
// that somebody may choose ("port blocking").
func blockedPort(port string) bool {
	n, err := strconv.Atoi(port)
	if err != nil {
		return false
	}
	return slices.Contains([]int{2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}, n) ||
		6665 <= n && n <= 6669 || slices.Contains(blockedLow, n)
}

// blockedLow are the forbidden ports below 1024.
var blockedLow = []int{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
	111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
	540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995,
}
