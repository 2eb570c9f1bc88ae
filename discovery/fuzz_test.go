package discovery_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/discovery"
)

// Whatever host a request is made to, and whatever it accepts, the document is
// well-formed, of the type that it says, and has the host in its links.
func FuzzHostMeta(f *testing.F) {
	for _, accept := range []string{"", "*/*", "application/json", "application/json;q=0.5, application/*", "a/b;q=x, ,", "application/json;q=NaN"} {
		f.Add("a.example", accept)
	}
	f.Add("[::1]:5280", "text/html")
	f.Add(`a'"&<>.example`, "application/xrd+xml;q=0.1,application/json;q=0.2")
	h := discovery.NewHandler(discovery.Endpoints{BOSH: "/http-bind", WebSocket: "/ws"}.Links)
	f.Fuzz(func(t *testing.T, host, accept string) {
		if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return // servers refuse it
		}
		r := httptest.NewRequest("GET", discovery.Path, nil)
		r.Host = host
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		type link struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		}
		var links []link
		switch kind := w.Header().Get("Content-Type"); kind {
		case "application/json":
			var document struct{ Links []link }
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if links = document.Links; !strings.Contains(accept, "*") && !strings.Contains(strings.ToLower(accept), "json") {
				t.Errorf("JSON for %q", accept)
			}
		case "application/xrd+xml":
			var document struct {
				Links []link `xml:"Link"`
			}
			if err := xml.Unmarshal(w.Body.Bytes(), &document); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			links = document.Links
		default:
			t.Fatalf("type %q", kind)
		}
		if len(links) != 2 || !strings.HasSuffix(links[0].Href, "://"+strings.ToLower(host)+"/http-bind") {
			t.Errorf("host %q: %+v", host, links)
		}
	})
}
