package clientaddr

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	const proxy = "10.0.0.1:4000"
	tests := []struct {
		name   string
		peer   string
		header Header
		lines  string // "Name: value", one a line
		want   string // RemoteAddr, then https and the host if they changed
	}{
		{"a direct client is itself", "192.0.2.7:5000", Either, "", "192.0.2.7:5000"},
		{"nothing is believed of others", "192.0.2.7:5000", Either, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil.example", "192.0.2.7:5000"},
		{"nor by Forwarded", "192.0.2.7:5000", Either, "Forwarded: for=198.51.100.1;proto=https;host=evil.example", "192.0.2.7:5000"},
		{"a proxy that says nothing", proxy, Either, "", proxy},
		{"one proxy", proxy, Either, "X-Forwarded-For: 198.51.100.1", "198.51.100.1:0"},
		{"what the client invented is on the left", proxy, Either, "X-Forwarded-For: 127.0.0.1, 10.0.0.9, 198.51.100.1", "198.51.100.1:0"},
		{"trusted proxies are passed", proxy, Either, "X-Forwarded-For: 203.0.113.5, 198.51.100.1, 10.0.0.3,10.0.0.2", "198.51.100.1:0"},
		{"over several lines", proxy, Either, "X-Forwarded-For: 203.0.113.5, 198.51.100.1\nX-Forwarded-For: 10.0.0.2", "198.51.100.1:0"},
		{"all trusted: the first", proxy, Either, "X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3:0"},
		{"unknown: the last that is known", proxy, Either, "X-Forwarded-For: 198.51.100.1, unknown, 10.0.0.2", "10.0.0.2:0"},
		{"garbage: the same", proxy, Either, "X-Forwarded-For: 198.51.100.1, <script>", proxy},
		{"empty", proxy, Either, "X-Forwarded-For: ", proxy},
		{"IPv6", proxy, Either, "X-Forwarded-For: 2001:db8::1", "[2001:db8::1]:0"},
		{"with a port", proxy, Either, "X-Forwarded-For: [2001:db8::1]:443, 10.0.0.2:99", "[2001:db8::1]:443"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:4000", Either, "X-Forwarded-For: ::ffff:198.51.100.1", "198.51.100.1:0"},
		{"scheme and host", proxy, Either, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: chat.example", "198.51.100.1:0 https chat.example"},
		{"without the address", proxy, Either, "X-Forwarded-Proto: HTTPS\nX-Forwarded-Host: chat.example:8443", proxy + " https chat.example:8443"},
		{"each proxy has its scheme", proxy, Either, "X-Forwarded-For: 198.51.100.1, 10.0.0.2\nX-Forwarded-Proto: https, http", "198.51.100.1:0 https"},
		{"no host at all", proxy, Either, "X-Forwarded-For: 198.51.100.1\nX-Forwarded-Host: a\"b<c", "198.51.100.1:0"},

		{"RFC 7239 §4", proxy, Either, `Forwarded: For="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:4711"},
		{"RFC 7239 §4", proxy, Either, `Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43;host=chat.example`, "192.0.2.60:0 https chat.example"},
		{"RFC 7239 §7.1: several lines", proxy, Either, "Forwarded: for=203.0.113.9, for=192.0.2.43\nForwarded: for=10.0.0.2", "192.0.2.43:0"},
		{"RFC 7239 §6.3: hidden", proxy, Either, `Forwarded: for=192.0.2.43, for="_gazonk"`, proxy},
		{"hidden, but over TLS", proxy, Either, `Forwarded: for=_x;proto=https`, proxy + " https"},
		{"hidden port", proxy, Either, `Forwarded: for="192.0.2.43:_p"`, "192.0.2.43:0"},
		{"backslashes", proxy, Either, `Forwarded: for="192.0.2.\43"`, "192.0.2.43:0"},
		{"commas in quotes", proxy, Either, `Forwarded: for="1.1.1.1, for=2.2.2.2";x="a,b", for=192.0.2.43`, "192.0.2.43:0"},
		{"an open quotation mark hides nobody", proxy, Either, `Forwarded: for="198.51.100.1, for=192.0.2.43`, proxy},
		{"a mistake anywhere", proxy, Either, `Forwarded: for, for=192.0.2.43`, proxy},
		{"twice the same name", proxy, Either, `Forwarded: for=192.0.2.43;for=192.0.2.44`, proxy},
		{"empty elements", proxy, Either, `Forwarded: , for=192.0.2.43 , ,`, "192.0.2.43:0"},

		{"both agree", proxy, Either, "Forwarded: for=192.0.2.43;proto=https\nX-Forwarded-For: 192.0.2.43", "192.0.2.43:0 https"},
		{"one is the client's own", proxy, Either, "Forwarded: for=127.0.0.1;proto=https\nX-Forwarded-For: 192.0.2.43", proxy},
		{"and it knows its address", proxy, Either, "Forwarded: for=192.0.2.43;proto=https;host=a\nX-Forwarded-For: 192.0.2.43\nX-Forwarded-Proto: http\nX-Forwarded-Host: b", "192.0.2.43:0"},
		{"the operator says which", proxy, XForwardedFor, "Forwarded: for=127.0.0.1\nX-Forwarded-For: 192.0.2.43", "192.0.2.43:0"},
		{"the operator says which", proxy, Forwarded, "Forwarded: for=192.0.2.43\nX-Forwarded-For: 127.0.0.1\nX-Forwarded-Proto: https", "192.0.2.43:0"},
		{"a chain without end", proxy, Either, "X-Forwarded-For: " + strings.Repeat("10.0.0.2,", 100) + "10.0.0.2", proxy},
	}
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Host, r.RemoteAddr = "here", test.peer
			for line := range strings.Lines(test.lines) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
				r.Header.Add(name, strings.TrimSpace(value))
			}
			var got string
			Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = r.RemoteAddr
				if r.TLS != nil {
					got += " https"
				}
				if r.Host != "here" {
					got += " " + r.Host
				}
				if client, _ := From(r.Context()); client.String() != r.RemoteAddr {
					t.Errorf("From says %v", client)
				}
			}), trusted, test.header).ServeHTTP(httptest.NewRecorder(), r)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestOriginalAddressesAreKept(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 443}
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
	r.RemoteAddr, r.TLS = "10.0.0.1:4000", &tls.ConnectionState{}
	r.Header.Set("X-Forwarded-For", "192.0.2.43")
	r.Header.Set("X-Forwarded-Proto", "http")
	called := false
	Handler(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
		called = true
		if _, l := From(in.Context()); l != local {
			t.Errorf("local %v", l)
		}
		if p := Peer(in.Context()); p.String() != "10.0.0.1:4000" {
			t.Errorf("peer %v", p)
		}
		if in.TLS != nil {
			t.Error("the client's connection was in the clear, whatever the proxy's is")
		}
	}), Proxies{}.mustAdd(t, "10.0.0.1"), Either).ServeHTTP(httptest.NewRecorder(), r)
	if !called || r.RemoteAddr != "10.0.0.1:4000" || r.TLS == nil {
		t.Error("the caller's request was changed")
	}
	if c, l := From(t.Context()); c != nil || l != nil || Peer(t.Context()).IsValid() {
		t.Error("addresses out of nothing")
	}
}

func TestOnThisMachine(t *testing.T) {
	for _, test := range []struct {
		name, peer, header, value string
		want                      bool
	}{
		{"a page by another name", "127.0.0.1:4000", "Host", "rebound.example:8888", false},
		{"by our name", "127.0.0.1:4000", "Host", "LOCALHOST:8888", true},
		{"a program here", "127.0.0.1:4000", "", "", true},
		{"over IPv6", "[::1]:4000", "", "", true},
		{"somebody else", "192.0.2.1:4000", "", "", false},
		{"somebody behind a proxy here", "127.0.0.1:4000", "X-Forwarded-For", "192.0.2.1", false},
		{"who says that it is here", "127.0.0.1:4000", "X-Forwarded-For", "127.0.0.1", false},
		{"in a way that nobody can read", "127.0.0.1:4000", "Forwarded", `for="`, false},
		{"behind another kind of proxy", "127.0.0.1:4000", "Via", "1.1 proxy", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Host = test.peer, "[::1]:8888"
		if test.header == "Host" {
			r.Host = test.value
		} else if test.header != "" {
			r.Header.Set(test.header, test.value)
		}
		Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if got := OnThisMachine(r.Context()); got != test.want {
				t.Errorf("%s: %v", test.name, got)
			}
		}), Proxies{}.mustAdd(t, "127.0.0.1"), Either).ServeHTTP(httptest.NewRecorder(), r)
	}
	if OnThisMachine(t.Context()) {
		t.Error("a request that nobody made")
	}
}

func (p Proxies) mustAdd(t *testing.T, s string) Proxies {
	t.Helper()
	more, err := ParseProxies([]string{s})
	if err != nil {
		t.Fatal(err)
	}
	return append(p, more...)
}

func TestParseProxiesRefusesNames(t *testing.T) {
	for _, s := range []string{"localhost", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "*"} {
		if _, err := ParseProxies([]string{s}); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestProxiesOfIPv4MayBeWrittenInIPv6(t *testing.T) {
	for _, s := range []string{"::ffff:10.0.0.1", "::ffff:10.0.0.0/104"} {
		if p := (Proxies{}).mustAdd(t, s); !p.Trust(netip.MustParseAddr("10.0.0.1")) || p.Trust(netip.MustParseAddr("192.0.2.1")) {
			t.Errorf("%s became %v", s, p)
		}
	}
}

// Whatever the headers are, the client is who connected, or one that a trusted
// proxy named; and what is right of it in the list is trusted.
func FuzzHeaders(f *testing.F) {
	f.Add(`for="[2001:db8::1]:_x";proto=https, for=10.0.0.2`, "192.0.2.1, 10.0.0.2", "https", "h")
	f.Add(`for="1.1.1.1\", for=2.2.2.2`, "unknown", "", "")
	trusted, _ := ParseProxies([]string{"10.0.0.0/8"})
	f.Fuzz(func(t *testing.T, forwarded, x, proto, host string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:4000"
		r.Header = http.Header{"Forwarded": {forwarded}, "X-Forwarded-For": {x, "192.0.2.99"}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}}
		Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			// The nearest proxy wrote the last entry: nobody can hide it.
			if r.RemoteAddr != "10.0.0.1:4000" && r.RemoteAddr != "192.0.2.99:0" {
				t.Errorf("client %s", r.RemoteAddr)
			}
			if strings.ContainsAny(r.Host, "<>\"'&/ \r\n") {
				t.Errorf("host %q", r.Host)
			}
		}), trusted, Either).ServeHTTP(httptest.NewRecorder(), r)
	})
}

// What is understood as an address or a network is trusted, and nothing but
// that: no name, no zone.
func FuzzParseProxies(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "::1", "::ffff:10.0.0.1", "10.0.0.1/33", "localhost", "fe80::1%eth0", "", "0.0.0.0/0", "::ffff:10.0.0.0/104"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		proxies, err := ParseProxies([]string{text})
		if err != nil {
			return
		}
		if a, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil && !proxies.Trust(a) {
			t.Errorf("%q is not trusted", text)
		}
		if one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"); !strings.Contains(text, "/") && proxies.Trust(one) && proxies.Trust(other) {
			t.Errorf("%q is everybody", text)
		}
	})
}
