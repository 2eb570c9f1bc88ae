package bosh_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// XEP-0124 §7: the creation of a session.

func TestCreation(t *testing.T) {
	t.Run("B-07.1 B-07.24 B-07.25 B-07.27 B-07.32 B-07.34 B-07.40 B-10.6 A-5 the answer is complete, and comes at once", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='30' hold='1'")
		w.wantXML("creation", c.created, "<body xmlns='"+ns+"' sid='"+c.sid+
			"' wait='30' requests='2' hold='1' ver='1.6' inactivity='90' maxpause='120' accept='gzip,deflate' from='be.test'/>")
		w.wantAfter("creation", c.created, 0)
	}))

	t.Run("B-07.2 B-07.18 a sid that names nothing is never a creation", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for _, sid := range []string{"", "nope", strings.ToUpper(c.sid), " " + c.sid, c.sid + "x"} {
			a := w.post(body("sid='"+sid+"' rid='5' to='be.test' wait='60' hold='1' ver='1.6'", ""))
			w.wantXML(fmt.Sprintf("sid %q", sid), a, terminal("item-not-found"))
		}
		if n := w.manager.Stats().Sessions; n != 1 || w.backend.opened() != 1 {
			t.Errorf("%d sessions", n)
		}
	}))

	t.Run("B-07.3 B-17.10 B-17.11 a target is needed, and must be known", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.wantXML("no to", w.post(body("rid='5' wait='60' hold='1' ver='1.6'", "")), terminal("improper-addressing"))
		w.wantXML("empty to", w.post(body("rid='5' to='' ver='1.6'", "")), terminal("improper-addressing"))
		w.wantXML("unknown to", w.post(body("rid='5' to='nowhere.test' ver='1.6'", "")), terminal("host-unknown"))
		if n := w.manager.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
	}))

	t.Run("B-07.3 a default target stands in", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{DefaultTo: "be.test"}})
		a := w.post(body("rid='5' ver='1.6'", ""))
		if a.attrs["sid"] == "" || a.attrs["from"] != "be.test" {
			t.Errorf("got %q", a.xml)
		}
	}))

	t.Run("B-07.10 B-07.29 B-07.35 T-17 what was negotiated stands, and is told once", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		a := w.post(c.at(1, "wait='1' hold='9' ver='1.5' content='text/plain' to='other.test' stream='x' secure='true'", ""))
		w.wantXML("later request", a, empty)
		w.wantAfter("later request", a, 60*time.Second)
	}))

	t.Run("B-07.13 B-07.20 B-07.21 B-22.3 A-10 attributes without meaning to us are ignored", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.create("route='xmpp:other.test:5222' secure='true' authid='x' window='5' ua='gloox' xml:lang='en' " +
			"xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' xmlns:q='urn:q' q:rid='x'")
	}))

	t.Run("B-07.4 B-07.11 B-07.13 B-07.14 T-39 language, from and route are for the backend, and choose nothing", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		for _, route := range []string{"xmpp:other.test:5222", "xmpp:[::1]:5222", "xmpp://h", "", "<&>"} {
			escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(route)
			c := w.create("wait='0' from='me@be.test' xml:lang='de' route='" + escaped + "'")
			c.post(c.at(1, "from='you@be.test' xml:lang='en' route='xmpp:later.test:1'", "")) // B-07.10
			st := w.backend.stream()
			got := st.Session().Params().Attrs
			if got["from"] != "me@be.test" || got["lang"] != "de" || got["route"] != route || st.Target() != "be.test" {
				t.Errorf("route %q: %q, target %q", route, got, st.Target())
			}
			if c.created.attrs["from"] != "be.test" {
				t.Errorf("from %q", c.created.attrs["from"])
			}
		}
		c := w.create("")
		for _, name := range []string{"from", "lang", "route"} {
			if got, ok := w.backend.stream().Session().Params().Attrs[name]; ok {
				t.Errorf("%s: %q, where there was none", name, got)
			}
		}
		w.wantXML("too long to keep", c.post(c.at(1, "route='"+strings.Repeat("x", 4000)+"'", "")), terminal("bad-request"))
	}))

	t.Run("B-08.1 payloads of the creation are delivered, and the backend's greeting rides on its answer", bubble(func(t *testing.T) {
		w := newWorld(t, settings{greet: func(st *transport.Stream) error { return st.TrySend([]byte("<hello xmlns='urn:test'/>")) }})
		a := w.post(body("rid='5' to='be.test' ver='1.6'", "<n xmlns='urn:test'/><m xmlns='urn:test'/>"))
		if a.attrs["sid"] == "" || len(a.payloads) != 1 || a.payloads[0] != "<hello xmlns='urn:test'/>" {
			t.Errorf("got %q", a.xml)
		}
		w.wantReceived("creation", "<n xmlns='urn:test'/> <m xmlns='urn:test'/>")
	}))

	t.Run("a backend that refuses says why", bubble(func(t *testing.T) {
		w := newWorld(t, settings{greet: func(*transport.Stream) error {
			return &transport.Termination{Condition: transport.BackendError, Payload: []transport.Frame{{Data: []byte("<e xmlns='urn:e'/>")}}}
		}})
		a := w.post(body("rid='5' to='be.test' ver='1.6'", ""))
		w.wantXML("refusal", a, "<body xmlns='"+ns+"' type='terminate' condition='remote-stream-error'><e xmlns='urn:e'/></body>")
	}))

	t.Run("T-16 H-16 a full server answers 503, which clients retry", bubble(func(t *testing.T) {
		w := newWorld(t, settings{manager: transport.Options{MaxSessions: 1}})
		w.create("")
		a := w.post(body("rid='5' to='be.test' ver='1.6'", ""))
		if a.status != 503 || a.header.Get("Retry-After") == "" || a.condition() == "" {
			t.Errorf("got %d %v %q", a.status, a.header, a.xml)
		}
	}))
}

func TestClientLimit(t *testing.T) {
	t.Run("T-16 a client with too many sessions gets 429", bubble(func(t *testing.T) {
		w := newWorld(t, settings{manager: transport.Options{
			Admit: func(context.Context) (func(), error) { return nil, transport.ErrClientLimit },
		}})
		a := w.post(body("rid='5' to='be.test' ver='1.6'", ""))
		if a.status != 429 || a.header.Get("Retry-After") == "" || a.condition() != "policy-violation" {
			t.Errorf("got %d %v %q", a.status, a.header, a.xml)
		}
	}))
}

func TestNegotiation(t *testing.T) {
	tests := []struct {
		name, asked string
		opts        bosh.Options
		want        map[string]string // "" is absent
	}{
		{"B-07.26 wait is granted as asked", "wait='5'", bosh.Options{}, map[string]string{"wait": "5"}},
		{"B-07.26 wait is bounded", "wait='100000'", bosh.Options{}, map[string]string{"wait": "60"}},
		{"B-07.26 wait 0 is a poll", "wait='0' hold='1'", bosh.Options{}, map[string]string{"wait": "0", "hold": "1"}},
		{"wait not asked for is ours", "", bosh.Options{}, map[string]string{"wait": "60", "hold": "1", "requests": "2"}},
		{"wait may be none at all", "wait='60'", bosh.Options{Wait: -1}, map[string]string{"wait": "0"}},
		{"fractions are cut off", "wait='60'", bosh.Options{Wait: 2500 * time.Millisecond}, map[string]string{"wait": "2"}},
		{"B-07.28 B-07.33 hold 0", "hold='0'", bosh.Options{}, map[string]string{"hold": "0", "requests": "1"}},
		{"B-07.28 B-07.33 hold 1", "hold='1'", bosh.Options{}, map[string]string{"hold": "1", "requests": "2"}},
		{"B-07.28 A-1 T-19 hold 2 is granted as 1", "hold='2'", bosh.Options{}, map[string]string{"hold": "1", "requests": "3"}},
		{"A-1 requests are bounded", "hold='200'", bosh.Options{}, map[string]string{"hold": "1", "requests": "4"}},
		{"T-38 no number leaves its type", "hold='999999999' wait='999999999'", bosh.Options{Hold: 300, Requests: 300, Wait: 20 * time.Hour},
			map[string]string{"hold": "4", "requests": "255", "wait": "300"}}, // bounds of the manager
		{"requests stay above hold", "hold='5'", bosh.Options{Hold: 5, Requests: 2}, map[string]string{"hold": "1", "requests": "2"}},
		{"B-07.30 the lower version", "ver='1.6'", bosh.Options{}, map[string]string{"ver": "1.6"}},
		{"B-07.6 1.10 is above 1.6", "ver='1.10'", bosh.Options{}, map[string]string{"ver": "1.10"}},
		{"B-07.30 ours", "ver='1.11'", bosh.Options{}, map[string]string{"ver": "1.11"}},
		{"B-07.6 1.12 is above ours", "ver='1.12'", bosh.Options{}, map[string]string{"ver": "1.11"}},
		{"B-07.6 2.0 is above ours", "ver='2.0'", bosh.Options{}, map[string]string{"ver": "1.11"}},
		{"B-07.6 1.06 is 1.6", "ver='1.06'", bosh.Options{}, map[string]string{"ver": "1.6"}},
		{"A-6 no version", "", bosh.Options{}, map[string]string{"ver": "1.11"}},
		{"B-07.39 B-09.3 acknowledgements", "ack='1'", bosh.Options{}, map[string]string{"ack": "5"}},
		{"B-09.15 no acknowledgements", "", bosh.Options{}, map[string]string{"ack": ""}},
		{"B-09.16 ack 0 is none", "ack='0'", bosh.Options{}, map[string]string{"ack": ""}},
		{"B-10.8 no pauses", "", bosh.Options{MaxPause: -1}, map[string]string{"maxpause": ""}},
		{"B-07.40 longest pause", "", bosh.Options{MaxPause: time.Hour}, map[string]string{"maxpause": "600"}}, // bound of the manager
		{"B-07.32 inactivity", "", bosh.Options{Inactivity: 33 * time.Second}, map[string]string{"inactivity": "33"}},
		{"inactivity as the manager has it", "", bosh.Options{Inactivity: -1}, map[string]string{"inactivity": "600"}},
	}
	for _, test := range tests {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{bosh: test.opts})
			a := w.post(body("rid='5' to='be.test' "+test.asked, ""))
			if a.attrs["sid"] == "" {
				t.Fatalf("got %q", a.xml)
			}
			for name, value := range test.want {
				if a.attrs[name] != value {
					t.Errorf("%s: got %q, want %q", name, a.attrs[name], value)
				}
			}
		}))
	}
}

func TestContentType(t *testing.T) {
	const xml = "text/xml; charset=utf-8"
	tests := []struct{ name, asked, want string }{
		{"B-07.17 none asked for", "", xml},
		{"B-07.16 one of the list", "content='text/plain'", "text/plain; charset=utf-8"},
		{"strophe's", "content='text/xml; charset=utf-8'", xml},
		{"case and parameters are not the client's", "content='Application/XML; charset=latin1; x=y'", "application/xml; charset=utf-8"},
		{"T-24 scripts", "content='text/html'", xml},
		{"T-24 vector graphics", "content='image/svg+xml'", xml},
		{"T-24 header splitting", "content='text/plain&#13;&#10;X-Bad: 1'", xml},
		{"nonsense", "content=';;;'", xml},
	}
	for _, test := range tests {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("wait='0' " + test.asked)
			held := w.post(c.at(1, "", ""))
			repeat := w.post(c.at(1, "", ""))
			pause := w.post(c.at(2, "pause='9999'", ""))
			late := w.post(c.at(3, "", ""))
			for i, a := range []*answer{c.created, held, repeat, pause, late} {
				if got := a.header["Content-Type"]; len(got) != 1 || got[0] != test.want {
					t.Errorf("answer %d: %q, want %q", i, got, test.want)
				}
				if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("X-Bad") != "" {
					t.Errorf("answer %d: headers %v", i, a.header)
				}
			}
		}))
	}
	t.Run("the list is the embedder's", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{ContentTypes: []string{"text/javascript"}}})
		if c := w.create("content='text/javascript'"); c.created.header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("got %v", c.created.header)
		}
		if c := w.create("content='text/plain'"); c.created.header.Get("Content-Type") != xml {
			t.Errorf("got %v", c.created.header)
		}
	}))
}

func TestSessionIDs(t *testing.T) {
	t.Run("B-07.22 B-07.23 B-15.2 B-19.7 sids are long and differ", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		seen := make(map[string]bool)
		for range 200 {
			c := w.create("")
			if len(c.sid) < 32 || seen[c.sid] {
				t.Fatalf("sid %q", c.sid)
			}
			seen[c.sid] = true
		}
	}))

	t.Run("sessions of another protocol do not exist", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		s, err := w.manager.Create(t.Context(), transport.Params{Protocol: "push.v1", Secret: "x"})
		if err != nil {
			t.Fatal(err)
		}
		w.wantXML("request", w.post(body("sid='"+s.ID()+"' rid='1'", "")), terminal("item-not-found"))
		if s.Err() != nil {
			t.Errorf("it ended: %v", s.Err())
		}
	}))

	t.Run("B-15.2 B-19.1 B-19.3 B-19.4 A-19 a session made over TLS is not served otherwise, nor ended", bubble(func(t *testing.T) {
		w := newWorld(t, settings{wrap: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch name := r.Header.Get("Secure"); name {
				case "":
				case "none":
					r.TLS = &tls.ConnectionState{}
				default:
					r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(name)}}}
				}
				h.ServeHTTP(w, r)
			})
		}})
		secure := func(certificate, xml string) *answer {
			r := w.request(t.Context(), xml)
			r.Header.Set("Secure", certificate)
			return w.do(r)
		}
		for _, test := range []struct{ name, made, other string }{
			{"in clear, made over TLS", "none", ""},
			{"with another certificate", "a", "b"},
			{"without the certificate", "a", "none"},
			{"with one of a sudden", "none", "a"},
		} {
			c := &client{world: w}
			c.sid = secure(test.made, body(fmt.Sprintf("rid='%d' to='be.test' wait='0'", first), "")).attrs["sid"]
			if a := secure(test.other, c.at(1, "", payload(1))); a.err == nil {
				t.Errorf("%s: answered %q", test.name, a.xml)
			}
			w.wantXML(test.name+", then as it should be", secure(test.made, c.at(1, "", "")), empty)
			w.wantReceived(test.name+", afterwards", "")
		}
	}))
}
