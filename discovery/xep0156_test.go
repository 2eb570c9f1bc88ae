package discovery_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/discovery"
	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// gateway serves a.example and b.example.
func gateway(base string) *discovery.Handler {
	e := discovery.Endpoints{BOSH: "/http-bind", WebSocket: "/xmpp-websocket", Base: base}
	return discovery.NewHandler(func(r *http.Request) []discovery.Link {
		switch clientaddr.Hostname(r.Host) {
		case "a.example", "b.example", "localhost":
			return e.Links(r)
		}
		return nil
	})
}

type answer struct {
	*http.Response
	body  string
	links map[string]string // href by rel
}

// get asks for a path; header lines are "Name: value".
func get(t *testing.T, h http.Handler, host, path string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = host
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{w.Result(), w.Body.String(), map[string]string{}}
	switch a.Header.Get("Content-Type") {
	case "application/json":
		var doc struct{ Links []discovery.Link }
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		for _, l := range doc.Links {
			a.links[l.Rel] = l.Href
		}
	case "application/xrd+xml":
		var doc struct {
			XMLName xml.Name `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
			Subject string
			Link    []struct {
				Rel  string `xml:"rel,attr"`
				Href string `xml:"href,attr"`
			}
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Subject != "" {
			t.Fatalf("%v in %s", err, a.body)
		}
		for _, l := range doc.Link {
			a.links[l.Rel] = l.Href
		}
	}
	return a
}

func (a answer) want(t *testing.T, bosh, websocket string) {
	t.Helper()
	if len(a.links) != 2 || a.links[discovery.RelBOSH] != bosh || a.links[discovery.RelWebSocket] != websocket {
		t.Errorf("links %v, want %s and %s", a.links, bosh, websocket)
	}
}

func TestHostMeta(t *testing.T) {
	t.Run("D-02.1 D-02.4 D-15.5 an XRD with both links, and nothing else", func(t *testing.T) {
		a := get(t, gateway(""), "a.example", discovery.Path)
		a.want(t, "https://a.example/http-bind", "wss://a.example/xmpp-websocket")
	})
	t.Run("D-02.5 D-15.7 a JRD", func(t *testing.T) {
		a := get(t, gateway(""), "a.example", discovery.PathJSON)
		if got := a.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("type %s", got)
		}
		a.want(t, "https://a.example/http-bind", "wss://a.example/xmpp-websocket")
	})
	t.Run("D-02.2 D-03.2 W-06.1 only https and wss, even when asked in the clear", func(t *testing.T) {
		for _, path := range []string{discovery.Path, discovery.PathJSON} {
			if a := get(t, gateway(""), "a.example", path); strings.Contains(a.body, "http://a") || strings.Contains(a.body, "ws://a") {
				t.Errorf("%s", a.body)
			}
		}
	})
	t.Run("D-02.2 but on this machine, in the clear, as it was asked", func(t *testing.T) {
		a := get(t, gateway(""), "localhost:8888", discovery.Path)
		a.want(t, "http://localhost:8888/http-bind", "ws://localhost:8888/xmpp-websocket")
	})
	t.Run("D-02.7 D-02.8 D-02.9 one link of a kind, no TCP, no TXT records", func(t *testing.T) {
		if n := strings.Count(get(t, gateway(""), "a.example", discovery.Path).body, "<Link "); n != 2 {
			t.Errorf("%d links", n)
		}
	})
	t.Run("D-03.1 pages of any origin may read it, errors included", func(t *testing.T) {
		for _, host := range []string{"a.example", "unknown.example"} {
			if got := get(t, gateway(""), host, discovery.Path, "Origin: https://x.example").Header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("%s: %q", host, got)
			}
		}
	})
	t.Run("D-15.1 the same over http and https", func(t *testing.T) {
		var bodies []string
		for _, state := range []*tls.ConnectionState{nil, {}} {
			r := httptest.NewRequest("GET", discovery.Path, nil)
			r.Host, r.TLS = "a.example", state
			w := httptest.NewRecorder()
			gateway("").ServeHTTP(w, r)
			bodies = append(bodies, w.Body.String())
		}
		if bodies[0] != bodies[1] {
			t.Errorf("%s and %s", bodies[0], bodies[1])
		}
	})
	accepts := []struct{ name, accept, want string }{
		{"D-15.2 D-15.3 without Accept XML", "", "application/xrd+xml"},
		{"D-15.3 XML when asked", "application/xrd+xml", "application/xrd+xml"},
		{"D-15.4 JSON when asked", "application/json", "application/json"},
		{"D-15.4 as browsers ask", "text/html,application/xhtml+xml,*/*;q=0.8", "application/xrd+xml"},
		{"D-15.4 by preference", "application/xrd+xml;q=0.5, application/json;q=0.9", "application/json"},
		{"D-15.4 JSON before anything", "application/json, */*;q=0.1", "application/json"},
		{"D-15.4 not at all", "application/json;q=0", "application/xrd+xml"},
		{"D-15.4 nonsense", ";;;,/", "application/xrd+xml"},
	}
	for _, test := range accepts {
		t.Run(test.name, func(t *testing.T) {
			var lines []string
			if test.accept != "" {
				lines = []string{"Accept: " + test.accept}
			}
			a := get(t, gateway(""), "a.example", discovery.Path, lines...)
			if got := a.Header.Get("Content-Type"); got != test.want || a.Header.Get("Vary") != "Accept" {
				t.Errorf("got %s, Vary %s", got, a.Header.Get("Vary"))
			}
		})
	}
	t.Run("D-15.6 404 where there is nothing", func(t *testing.T) {
		if a := get(t, gateway(""), "unknown.example", discovery.Path); a.StatusCode != http.StatusNotFound {
			t.Errorf("status %d", a.StatusCode)
		}
	})
	t.Run("D-15.8 two hosts, two documents", func(t *testing.T) {
		get(t, gateway(""), "A.example:443", discovery.Path).want(t, "https://a.example:443/http-bind", "wss://a.example:443/xmpp-websocket")
		get(t, gateway(""), "b.example", discovery.Path).want(t, "https://b.example/http-bind", "wss://b.example/xmpp-websocket")
	})
	t.Run("D-15.8 the gateway may have a name of its own", func(t *testing.T) {
		get(t, gateway("https://gw.example/x/"), "a.example", discovery.Path).want(t, "https://gw.example/x/http-bind", "wss://gw.example/x/xmpp-websocket")
		get(t, gateway("https://gw.{host}"), "b.example", discovery.PathJSON).want(t, "https://gw.b.example/http-bind", "wss://gw.b.example/xmpp-websocket")
	})
	t.Run("H-01 other methods", func(t *testing.T) {
		w := httptest.NewRecorder()
		gateway("").ServeHTTP(w, httptest.NewRequest("POST", discovery.Path, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		w = httptest.NewRecorder()
		gateway("").ServeHTTP(w, httptest.NewRequest("OPTIONS", discovery.Path, nil))
		if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Max-Age") == "" {
			t.Errorf("preflight: %d %v", w.Code, w.Header())
		}
	})
	t.Run("hosts are text", func(t *testing.T) {
		e := discovery.Endpoints{BOSH: "/http-bind"}
		h := discovery.NewHandler(e.Links)
		if a := get(t, h, `a'/><x y="&`, discovery.Path); a.links[discovery.RelBOSH] != `https://a'/><x y="&/http-bind` {
			t.Errorf("%s", a.body)
		}
	})
}
