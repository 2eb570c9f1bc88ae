package clientaddr

import (
	"net/netip"
	"strings"
)

// A hop is what one proxy says of the connection that it got a request on.
type hop struct {
	client netip.AddrPort // not valid: unknown, or not told
	proto  string         // "http" or "https", in lower case
	host   string
}

// maxHops bounds how many proxies are looked at: more are no honest chain.
const maxHops = 32

// parseForwarded reads the lines of Forwarded (RFC 7239 §4), leftmost proxy
// first. It reports false if there is any mistake: who wrote what cannot be
// told then, since an open quotation mark swallows what follows.
func parseForwarded(lines []string) ([]hop, bool) {
	var hops []hop
	for _, line := range lines {
		s := scanner(line)
		for {
			for s.space(); s.accept(','); s.space() {
				// RFC 9110 §5.6.1.2: empty elements are ignored
			}
			if s == "" {
				break
			}
			h, ok := s.element()
			if !ok || len(hops) == maxHops {
				return nil, false
			}
			hops = append(hops, h)
			if s != "" && s[0] != ',' {
				return nil, false
			}
		}
	}
	return hops, true
}

// A scanner is the rest of a header line.
type scanner string

// element reads the pairs of one proxy. Unknown names are skipped, twice the
// same is a mistake.
func (s *scanner) element() (h hop, ok bool) {
	seen := make(map[string]bool, 4)
	for {
		s.space()
		name := strings.ToLower(s.token())
		if name == "" || seen[name] || !s.accept('=') {
			return h, false
		}
		seen[name] = true
		value, ok := s.value()
		if !ok {
			return h, false
		}
		switch name {
		case "for":
			h.client = parseNode(value)
		case "proto":
			h.proto = strings.ToLower(value)
		case "host":
			h.host = hostname(value)
		}
		s.space()
		if !s.accept(';') {
			return h, true
		}
	}
}

func (s *scanner) space() { *s = scanner(strings.TrimLeft(string(*s), " \t")) }

func (s *scanner) accept(c byte) bool {
	if *s == "" || (*s)[0] != c {
		return false
	}
	*s = (*s)[1:]
	return true
}

// token reads a token (RFC 9110 §5.6.2); empty: there is none.
func (s *scanner) token() string {
	n := 0
	for n < len(*s) && isToken((*s)[n]) {
		n++
	}
	t := (*s)[:n]
	*s = (*s)[n:]
	return string(t)
}

func isToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// value reads a token or a quoted string. Colons and brackets need quotation
// marks, but addresses without are common and leave no doubt.
func (s *scanner) value() (string, bool) {
	if !s.accept('"') {
		n := 0
		for n < len(*s) && (isToken((*s)[n]) || strings.IndexByte("[]:", (*s)[n]) >= 0) {
			n++
		}
		v := (*s)[:n]
		*s = (*s)[n:]
		return string(v), n > 0
	}
	var v []byte
	for i := 0; i < len(*s); i++ {
		switch c := (*s)[i]; {
		case c == '"':
			*s = (*s)[i+1:]
			return string(v), true
		case c == '\\':
			if i++; i == len(*s) {
				return "", false
			}
			v = append(v, (*s)[i])
		default:
			v = append(v, c)
		}
	}
	return "", false
}

// parseXForwarded reads the lines of X-Forwarded-For with what goes along:
// X-Forwarded-Proto and -Host have an entry for each proxy, or one by the
// nearest proxy.
func parseXForwarded(fors, protos, hosts []string) ([]hop, bool) {
	list := entries(fors)
	if len(list) > maxHops {
		return nil, false
	}
	hops := make([]hop, len(list))
	proto, host := entries(protos), entries(hosts)
	for i, f := range list {
		hops[i] = hop{
			client: parseNode(f),
			proto:  strings.ToLower(entryFor(i, len(list), proto)),
			host:   hostname(entryFor(i, len(list), host)),
		}
	}
	return hops, true
}

func entries(lines []string) []string {
	var all []string
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(e))
		}
	}
	return all
}

// entryFor returns the entry of hop i of n.
func entryFor(i, n int, list []string) string {
	switch len(list) {
	case 0:
		return ""
	case n:
		return list[i]
	}
	return list[len(list)-1]
}

// parseNode reads an address, with or without a port (RFC 7239 §6). Names such
// as "unknown" and "_hidden" give one that is not valid.
func parseNode(s string) netip.AddrPort {
	if a, err := netip.ParseAddrPort(s); err == nil && a.Addr().Zone() == "" {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	// A port may be hidden too: "192.0.2.1:_x".
	if host, port, ok := strings.Cut(s, ":_"); ok && port != "" {
		s = host
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return netip.AddrPort{}
		}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), 0)
}

// hostname returns a host, with or without a port, if it looks like one.
func hostname(s string) string {
	for i := range len(s) {
		if c := s[i]; !isToken(c) && strings.IndexByte("[]:", c) < 0 {
			return ""
		}
	}
	return s
}
