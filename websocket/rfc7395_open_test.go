package websocket_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// RFC 7395 §3.1, RFC 6455 §4.2.2
func TestSubprotocol(t *testing.T) {
	for _, test := range []struct {
		name         string
		xmpp, noPush bool
		lines        []string // of Sec-WebSocket-Protocol
		want         string   // empty: refused
	}{
		{"W-03.2: it is chosen when it is offered", true, true, []string{"xmpp"}, "xmpp"},
		{"W-03.2, S-04.9: among others", true, true, []string{"foo, xmpp"}, "xmpp"},
		{"W-03.2: in a second line", true, true, []string{"foo", "xmpp"}, "xmpp"},
		{"W-03.4, S-04.10, T-28: who does not offer it is refused", true, true, nil, ""},
		{"W-03.4: and who offers another", true, true, []string{"push.v1"}, ""},
		{"of both, the client's first counts", true, false, []string{"xmpp, push.v1"}, "xmpp"},
		{"of both, the client's first counts again", true, false, []string{"push.v1, xmpp"}, "push.v1"},
		{"it is not spoken unless asked for", false, false, []string{"xmpp"}, ""},
		{"it is not spoken unless asked for, beside push.v1", false, false, []string{"xmpp, push.v1"}, "push.v1"},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			s := startXMPP(t, &websocket.Options{XMPP: test.xmpp, NoPush: test.noPush})
			h := http.Header{}
			if test.lines != nil {
				h["Sec-Websocket-Protocol"] = test.lines
			}
			ws, resp, err := s.dialWith(h)
			if test.want == "" {
				if resp == nil || resp.StatusCode != http.StatusBadRequest || resp.Header["Sec-Websocket-Protocol"] != nil {
					t.Errorf("got %v, %v", resp, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			if got := resp.Header["Sec-Websocket-Protocol"]; len(got) != 1 || got[0] != test.want {
				t.Errorf("got %q", got)
			}
		}))
	}
	t.Run("S-04.6: a page of an unknown origin is refused", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Push.Origins = []string{"https://chat.example"}
		s := startXMPP(t, o)
		for origin, status := range map[string]int{
			"https://evil.example": http.StatusForbidden,
			"null":                 http.StatusForbidden,
			"https://chat.example": http.StatusSwitchingProtocols,
			"https://im.test":      http.StatusSwitchingProtocols,
		} {
			ws, resp, err := s.dialWith(http.Header{"Origin": {origin}}, "xmpp")
			if resp == nil || resp.StatusCode != status {
				t.Errorf("%s: got %v, %v", origin, resp, err)
			}
			if err == nil {
				ws.Close()
			}
		}
	}))
}

// RFC 7395 §3.4
func TestStreamOpens(t *testing.T) {
	t.Run("W-03.14, W-03.15: <open/> opens a stream to whom it names", bubble(func(t *testing.T) {
		_, b := startXMPP(t, xmppOptions()).open()
		if b.Target() != "im.example" || b.Name() != "" || b.Session().Params().Protocol != websocket.ProtocolXMPP {
			t.Errorf("got %q %q %+v", b.Target(), b.Name(), b.Session().Params())
		}
	}))
	t.Run("W-03.10: an XML declaration in front is tolerated", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		c.say(`<?xml version="1.0"?>` + clientOpen)
		(<-s.backend).wantFrame("without the declaration", clientOpen)
	}))
	t.Run("W-03.27, W-03.28: another <open/> restarts the stream", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		const success = `<success xml:lang="en" xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`
		b.say(success)
		c.want("authenticated", success)
		c.say(clientOpen)
		b.wantFrame("the restart", clientOpen)
		again := strings.Replace(serverOpen, `id="1"`, `id="2"`, 1)
		b.say(again)
		c.want("its answer", again)
	}))
	for _, test := range []struct{ name, said string }{
		{"at once", ""},
		{"after a success of another kind", `<success xmlns="urn:xmpp:sasl:2"/>`},
		{"after what only begins like one", `<successor xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`},
		{"twice after one", `<s:success xmlns:s="urn:ietf:params:xml:ns:xmpp-sasl"/>`},
	} {
		t.Run("W-03.16: one stream on one connection; another <open/> "+test.name, bubble(func(t *testing.T) {
			c, b := startXMPP(t, xmppOptions()).open()
			if test.said != "" {
				b.say(test.said)
				c.want("first", test.said)
			}
			if strings.HasPrefix(test.name, "twice") {
				c.say(clientOpen)
				b.wantFrame("the restart", clientOpen)
			}
			c.say(clientOpen)
			c.wantError("W-03.17", "bad-format")
			c.want("W-03.20", closeStream)
			b.wantEnd("for the backend", transport.BadRequest)
			if len(b.got) != 0 {
				t.Errorf("the backend got %q", <-b.got)
			}
		}))
	}
	t.Run("W-03.34: XEP-0198 is between client and server", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		c.say(`<enable xmlns="urn:xmpp:sm:3" resume="true"/>`)
		b.wantFrame("the request", `<enable xmlns="urn:xmpp:sm:3" resume="true"/>`)
		b.say(`<enabled xmlns="urn:xmpp:sm:3" id="x" resume="true"/>`)
		c.want("the answer", `<enabled xmlns="urn:xmpp:sm:3" id="x" resume="true"/>`)
	}))
	t.Run("T-26, W-A.1: the forms that clients compare", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		c.say(strings.Replace(clientOpen, "im.example", "gone.example", 1))
		for _, rule := range []struct{ name, form string }{
			{"<open/>", `^<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1\.0" xml:lang="en" id="[A-Z0-9]{26}" from="gone\.example" />$`},
			{"the error, each child with its namespace", `^<stream:error xmlns:stream="http://etherx\.jabber\.org/streams">` +
				`<remote-connection-failed xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>$`},
			{"<close/>", `^<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />$`},
		} {
			if _, got, err := c.ReadMessage(); err != nil || !regexp.MustCompile(rule.form).Match(got) {
				t.Errorf("%s: got %s, %v", rule.name, got, err)
			}
		}
	}))
	t.Run("W-03.15: each stream has an id of its own", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		seen := map[string]bool{}
		for range 20 {
			c := s.dial()
			c.say(strings.Replace(clientOpen, "im.example", "gone.example", 1))
			_, open, err := c.ReadMessage()
			if err != nil || seen[string(open)] {
				t.Errorf("again %s, %v", open, err)
			}
			seen[string(open)] = true
			c.Close()
		}
	}))
	t.Run("a client that closes first is answered", bubble(func(t *testing.T) {
		c := startXMPP(t, xmppOptions()).dial()
		c.say(closeStream)
		c.want("W-03.15", closeStream)
		c.wantCode("W-03.22", 1000)
	}))
}

// RFC 7395 §3.5: first <open/>, then the error, then <close/>.
func TestStreamDoesNotOpen(t *testing.T) {
	for _, test := range []struct{ name, first, condition, from string }{
		{"W-03.8: <open/> in another namespace", `<open xmlns="urn:wrong" to="im.example"/>`, "invalid-namespace", "im.example"},
		{"W-03.8: <open/> in none", `<open to="im.example"/>`, "invalid-namespace", ""},
		{"W-03.14, W-X.2: a stanza", `<message xmlns="jabber:client"/>`, "bad-format", ""},
		{"W-03.7: the header of a TCP stream", `<stream:stream xmlns:stream="http://etherx.jabber.org/streams" to="im.example">`, "not-well-formed", ""},
		{"W-03.7: the same, closed", `<stream:stream xmlns:stream="http://etherx.jabber.org/streams"/>`, "not-well-formed", ""},
		{"W-03.11: white space in front", " " + clientOpen, "not-well-formed", ""},
		{"W-03.11: a byte order mark in front", "\uFEFF" + clientOpen, "not-well-formed", ""},
		{"W-03.29: nothing at all", "", "not-well-formed", ""},
		{"W-03.19: an unknown host", `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="a&amp;&quot;b"/>`, "host-unknown", "a&amp;&quot;b"},
		{"W-03.19: no host, and no default", `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>`, "host-unknown", ""},
		{"W-03.19: a host out of reach", `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="gone.example"/>`, "remote-connection-failed", "gone.example"},
		{"S-10.2: a big message", strings.Repeat("x", 5000), "policy-violation", ""},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			s := startXMPP(t, xmppOptions())
			c := s.dial()
			said := c.sayAside(test.first)
			c.wantOpen("first", test.from)
			c.wantError("second", test.condition)
			c.want("third", closeStream)
			<-said
			c.say(`<message xmlns="jabber:client"/>`)
			c.say(closeStream)
			if strings.HasPrefix(test.name, "S-10.2") {
				c.wantCode("at last", 1009)
			} else {
				c.wantCode("at last", 1000)
			}
			synctest.Wait()
			if n := s.manager.Stats().Sessions; n != 0 {
				t.Errorf("%d sessions live on", n)
			}
		}))
	}
	t.Run("no <open/> in time", bubble(func(t *testing.T) {
		c := startXMPP(t, &websocket.Options{XMPP: true, Push: &push.Options{}}).dial()
		c.wantOpen("first", "")
		c.wantError("second", "connection-timeout")
		c.want("third", closeStream)
		c.wantCode("at last", 1000)
	}))
	t.Run("a server that goes down takes nobody", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		if err := s.manager.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.say(clientOpen)
		c.wantOpen("first", "im.example")
		c.wantError("second", "system-shutdown")
		c.want("third", closeStream)
	}))
}
