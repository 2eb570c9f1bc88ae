package attacks

import (
	"testing"
)

const evil = "Origin: https://evil.example"

// A page of another site that opens a WebSocket here gets none, whatever cookies
// its visitor has (cross-site WebSocket hijacking).
func TestCrossSiteWebSockets(t *testing.T) {
	s := serve(t, "--xmpp=a.example=127.0.0.1:1?tls=off", "--allow-origin=https://chat.example")
	handshake := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Cookie: session=1"}
	for path, protocol := range map[string]string{"/push/ws": "push.v1", "/xmpp-websocket": "xmpp"} {
		with := append(handshake, "Sec-WebSocket-Protocol: "+protocol)
		for origin, status := range map[string]int{
			"https://evil.example":            403,
			"null":                            403,
			"https://chat.example.evil":       403,
			"https://evil.example/chat":       403,
			"http://chat.example":             403,
			"https://chat.example@evil.xyz":   403,
			"https://chat.example:8443":       403,
			"HTTPS://CHAT.EXAMPLE\thttps://x": 403,
		} {
			if got := s.call("GET", path, "", append(with, "Origin: "+origin)...); got.StatusCode != status {
				t.Errorf("%s from %q: %s", path, origin, got.Status)
			}
		}
	}
}

// A page can post without asking (CSRF): a form, or text/plain. It is refused
// before anything happens, cannot read the answer, and is not told otherwise by a
// preflight.
func TestCrossSitePosts(t *testing.T) {
	s := serve(t, "--allow-origin=https://chat.example")
	r := newReader(t, s, "t")
	for path, request := range map[string]string{
		"/http-bind":   body("rid='1' to='bus'", ""),
		"/push":        `{"messages":[{"op":"publish","topic":"t","data":"evil"}]}`,
		"/push/sse":    `{"session":"x","key":"x","attach":1}`,
		"/api/publish": `{"topic":"t","data":"evil"}`,
	} {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"} {
			a := s.call("POST", path, request, evil, "Content-Type: "+kind, "Cookie: a=b")
			if a.StatusCode != 403 || a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s as %s: %s %v", path, kind, a.Status, a.Header)
			}
		}
		p := s.call("OPTIONS", path, "", evil, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
		if p.Header.Get("Access-Control-Allow-Origin") != "" || p.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("the preflight of %s: %v", path, p.Header)
		}
	}
	r.wantMessage("nothing of that was published")
}

// What is for programs on this machine is not for pages that gave their own name
// this machine's address (DNS rebinding), nor for who comes by a proxy.
func TestRebinding(t *testing.T) {
	s := serve(t, "--push=local")
	for _, path := range []string{"/push", "/push/sse", "/api/publish", "/metrics"} {
		for _, header := range []string{"Host: evil.example", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"} {
			if a := s.call("POST", path, `{"topic":"t","data":1}`, header); a.StatusCode != 403 {
				t.Errorf("%s with %s: %s", path, header, a.Status)
			}
		}
	}
}
