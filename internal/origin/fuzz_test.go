package origin_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/internal/origin"
)

// A page is allowed only if it is in the list or of the host that was asked,
// and then it alone is named to its browser.
func FuzzAllows(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://chat.example", "chat.example"}, {"https://chat.example", "CHAT.example"}, {"https://evil.example", "chat.example"},
		{"null", "null"}, {"https://chat.example.evil", "chat.example"}, {"https://chat.example@evil", "chat.example"}, {"//chat.example", "chat.example"},
		{"https://[::1]:80", "[::1]:80"}, {"https://listed.example", "chat.example"}, {"%", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	const listed = "https://listed.example"
	p := origin.NewPolicy([]string{listed})
	f.Fuzz(func(t *testing.T, from, host string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Host = host
		r.Header.Set("Origin", from)
		w := httptest.NewRecorder()
		p.SetHeaders(w.Header(), r)
		allowed, named := p.Allows(r), w.Header().Get("Access-Control-Allow-Origin")
		// Browsers send a scheme, a host and a port, with nothing around them.
		scheme, authority, _ := strings.Cut(from, "://")
		plain := scheme != "" && !strings.ContainsAny(scheme+authority, "@/?#%\\")
		if plain && allowed && !strings.EqualFold(authority, host) && from != listed {
			t.Errorf("page %q may call %q", from, host)
		}
		if named != "" && named != from || named != "" && !allowed {
			t.Errorf("page %q: allowed %v, named %q", from, allowed, named)
		}
	})
}
