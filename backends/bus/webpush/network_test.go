package webpush

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"142.250.74.10": true, "2a00:1450:4001::1": true, "::ffff:142.250.74.10": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false, "2001::1": false,
	} {
		var r reach
		if got := r.allows(netip.MustParseAddr(address)) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	r := reach{networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if r.allows(netip.MustParseAddr("10.1.2.3")) != nil || r.allows(netip.MustParseAddr("::ffff:10.1.2.3")) != nil || r.allows(netip.MustParseAddr("192.168.0.1")) == nil {
		t.Error("not the networks that are allowed")
	}
}

func TestEndpoints(t *testing.T) {
	anywhere, usual := reach{hosts: []string{"*"}}, reach{hosts: DefaultHosts}
	for _, tt := range []struct {
		reach    reach
		endpoint string
		want     bool
	}{
		{usual, "https://fcm.googleapis.com/fcm/send/x", true},
		{usual, "https://FCM.googleapis.com.:443/x", true},
		{usual, "https://updates.push.services.mozilla.com/wpush/v2/x", true},
		{usual, "https://web.push.apple.com/x", true},
		{usual, "https://push.services.mozilla.com/x", false},
		{usual, "https://evil-fcm.googleapis.com/", false},
		{usual, "https://fcm.googleapis.com.evil.example/", false},
		{usual, "https://fcm.googleapis.com:8443/", false},
		{anywhere, "https://push.example/x", true},
		{anywhere, "https://127.0.0.1/x", false},
		{anywhere, "https://[::1]/x", false},
		{anywhere, "https://[::ffff:10.0.0.1]/x", false},
		{anywhere, "https://169.254.169.254/latest", false},
	} {
		u, err := url.Parse(tt.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.reach.check(u) == nil; got != tt.want {
			t.Errorf("%s: %v", tt.endpoint, got)
		}
	}
}

// A name that is allowed may resolve to an address that is not: nothing is said to it.
func TestTheDialerLooksAgain(t *testing.T) {
	asked := false
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := reach{hosts: []string{"*"}}
	_, err = r.client(nil, 10*time.Second).Get("https://localhost:" + port)
	if err == nil || !strings.Contains(err.Error(), "is no public address") || asked {
		t.Errorf("got %v", err)
	}
}

// An answer may send somewhere else: nobody goes there.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	s := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	r := reach{networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	resp, err := r.client(rootsOf(s), 10*time.Second).Get(s.URL)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect || asked {
		t.Errorf("got %v, %v", resp, err)
	}
}
