package origin

import (
	"net/http/httptest"
	"testing"
)

func TestPolicy(t *testing.T) {
	listed := NewPolicy([]string{"https://chat.example", "null"}, "Content-Type")
	for _, test := range []struct {
		name        string
		policy      Policy
		origin      string
		allows      bool
		header      string
		credentials string
	}{
		{"no page, or one of our own", NewPolicy(nil), "", true, "", ""},
		{"the server's own page", NewPolicy(nil), "http://push.test", true, "http://push.test", ""},
		{"its own page, behind a proxy that ends TLS", NewPolicy(nil), "https://PUSH.test", true, "https://PUSH.test", ""},
		{"its own host at another port", NewPolicy(nil), "http://push.test:8080", false, "", ""},
		{"any other page", NewPolicy(nil), "https://evil.example", false, "", ""},
		{"a page without origin", NewPolicy(nil), "null", false, "", ""},
		{"not an origin", NewPolicy(nil), "%%", false, "", ""},
		{"a listed page", listed, "https://chat.example", true, "https://chat.example", "true"},
		{"a listed page without origin", listed, "null", true, "null", "true"},
		{"one that begins like a listed page", listed, "https://chat.example.evil", false, "", ""},
		{"any, where all are allowed", NewPolicy([]string{"*"}), "https://evil.example", true, "*", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://push.test/push", nil)
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			w := httptest.NewRecorder()
			test.policy.SetHeaders(w.Header(), r)
			if got := test.policy.Allows(r); got != test.allows {
				t.Errorf("allows: %v", got)
			}
			h := w.Header()
			if h.Get("Access-Control-Allow-Origin") != test.header || h.Get("Access-Control-Allow-Credentials") != test.credentials {
				t.Errorf("headers %v", h)
			}
		})
	}
}
