package websocket_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// RFC 7395 §3.6
func TestStreamCloses(t *testing.T) {
	t.Run("W-03.21, W-03.22: the client's <close/> is answered, then the WebSocket closes", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		c.say(closeStream)
		c.want("W-03.21", closeStream)
		c.wantCode("W-03.22", 1000)
		b.wantFrame("the backend gets it too", closeStream)
		if end := b.wantEnd("and then the end", transport.Normal); !end.ByClient {
			t.Error("not by the client")
		}
	}))
	t.Run("W-03.23: what was sent before comes before", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(`<message xmlns="jabber:client" id="1"/>`)
		b.say(`<message xmlns="jabber:client" id="2"/>`)
		c.say(closeStream)
		c.want("the first stanza", `<message xmlns="jabber:client" id="1"/>`)
		c.want("the second", `<message xmlns="jabber:client" id="2"/>`)
		c.want("our <close/>", closeStream)
		c.wantCode("nothing else", 1000)
	}))
	t.Run("W-X.2: what comes after the client's <close/> is ignored", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(`<message xmlns="jabber:client"/>`) // holds the end back until it is read
		synctest.Wait()
		c.say(closeStream)
		c.say(`<message xmlns="jabber:client" id="late"/>`)
		c.say(`not even XML`)
		c.say(closeStream)
		c.want("the stanza", `<message xmlns="jabber:client"/>`)
		c.want("our <close/>", closeStream)
		c.wantCode("no error", 1000)
		b.wantFrame("the <close/>", closeStream)
		b.wantEnd("nothing behind it", transport.Normal)
		if len(b.got) != 0 {
			t.Errorf("the backend got %q", <-b.got)
		}
	}))
	t.Run("W-03.21: a backend that is done waits for the client", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.Close(nil)
		c.want("our <close/>", closeStream)
		time.Sleep(5 * time.Second)
		c.say(closeStream)
		start := time.Now()
		c.wantCode("at once", 1000)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("after %v", waited)
		}
	}))
	t.Run("W-03.21, W-03.22: both may close at once", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		go b.Close(nil)
		c.say(closeStream)
		c.want("one <close/>", closeStream)
		c.wantCode("and no other", 1000)
	}))
	t.Run("W-03.21: but not for ever", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.Close(nil)
		c.want("our <close/>", closeStream)
		start := time.Now()
		c.wantCode("after a while", 1000)
		if waited := time.Since(start); waited != push.DefaultBodyTimeout {
			t.Errorf("after %v", waited)
		}
	}))
	t.Run("W-03.23: a backend may close its side and hear the client to the end", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(`<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'></close>`)
		c.want("as clients know it", closeStream)
		b.say(`<message xmlns="jabber:client" id="late"/>`)
		c.say(`<message xmlns="jabber:client"/>`)
		b.wantFrame("what still comes", `<message xmlns="jabber:client"/>`)
		c.say(closeStream)
		c.wantCode("nothing after <close/>", 1000)
		b.wantEnd("a normal end", transport.Normal)
	}))
	t.Run("T-32, W-03.24: without <close/> the client has vanished", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c, b := s.open()
		c.Close()
		if end := b.wantEnd("a cut", transport.Inactive); end.ByClient {
			t.Error("by the client")
		}
		synctest.Wait()
		if n := s.manager.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions live on", n)
		}
	}))
	t.Run("W-03.24, S-05.10: the WebSocket's close frame alone is no <close/>", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		if err := c.WriteMessage(8, []byte{1000 >> 8, 1000 & 0xff}); err != nil {
			t.Fatal(err)
		}
		c.wantCode("S-05.10", 1000)
		b.wantEnd("a cut", transport.Inactive)
	}))
}

// RFC 7395 §3.5, §3.6
func TestBackendEnds(t *testing.T) {
	for _, test := range []struct {
		end  transport.Termination
		want string
	}{
		{transport.Termination{Condition: transport.HostUnknown}, "host-unknown"},
		{transport.Termination{Condition: transport.HostGone}, "host-gone"},
		{transport.Termination{Condition: transport.Unreachable}, "remote-connection-failed"},
		{transport.Termination{Condition: transport.Policy}, "policy-violation"},
		{transport.Termination{Condition: transport.TooBig}, "policy-violation"},
		{transport.Termination{Condition: transport.Overflow}, "resource-constraint"},
		{transport.Termination{Condition: transport.Shutdown}, "system-shutdown"},
		{transport.Termination{Condition: transport.Internal}, "internal-server-error"},
		{transport.Termination{Condition: transport.BackendError, Err: errors.New("lost")}, "internal-server-error"},
		{transport.Termination{Condition: transport.BadRequest}, "bad-format"},
		{transport.Termination{Condition: transport.OutOfWindow}, "undefined-condition"},
		{transport.Termination{Condition: transport.Moved}, "undefined-condition"},
	} {
		t.Run("W-03.18, W-03.20: "+string(test.end.Condition), bubble(func(t *testing.T) {
			c, b := startXMPP(t, xmppOptions()).open()
			b.Close(&test.end)
			c.wantError("W-03.18", test.want)
			c.want("W-03.20", closeStream)
			c.say(closeStream)
			c.wantCode("W-03.22", 1000)
		}))
	}
	t.Run("W-03.18: the text is told, and escaped", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.Close(&transport.Termination{Condition: transport.Policy, Text: "a < b"})
		c.want("the error", `<stream:error xmlns:stream="http://etherx.jabber.org/streams">`+
			`<policy-violation xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>`+
			`<text xmlns="urn:ietf:params:xml:ns:xmpp-streams" xml:lang="en">a &lt; b</text></stream:error>`)
	}))
	t.Run("W-03.19: before the backend answered, with an <open/>", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		c.say(clientOpen)
		(<-s.backend).Close(&transport.Termination{Condition: transport.Unreachable})
		c.wantOpen("first", "im.example")
		c.wantError("second", "remote-connection-failed")
		c.want("third", closeStream)
	}))
	t.Run("W-03.13: the backend's own error stands for ours", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		last := `<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>`
		b.Close(&transport.Termination{Condition: transport.BackendError, Payload: []transport.Frame{{Data: []byte(last)}}})
		c.want("the error", last)
		c.want("W-03.20", closeStream)
		c.say(closeStream)
		c.wantCode("W-03.22", 1000)
	}))
	t.Run("W-03.23: the backend's last words may hold its <close/>", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.Close(&transport.Termination{Condition: transport.BackendError, Payload: []transport.Frame{
			{Data: []byte(`<a xmlns="urn:1"/>`)}, {Data: []byte(closeStream)}, {Data: []byte(`<b xmlns="urn:1"/>`)},
		}})
		c.want("the words", `<a xmlns="urn:1"/>`)
		c.want("the end", closeStream)
		c.say(closeStream)
		c.wantCode("nothing else", 1000)
	}))
	t.Run("W-03.15: an end without an error needs no <open/>", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		c.say(clientOpen)
		(<-s.backend).Close(nil)
		c.want("the only answer", closeStream)
	}))
	t.Run("a server that goes down says so", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c, _ := s.open()
		go s.manager.Shutdown(t.Context())
		c.wantError("the error", "system-shutdown")
		c.want("the end", closeStream)
	}))
}

// RFC 7395 §3.6.1
func TestSeeOtherURI(t *testing.T) {
	moved := func(uri string) *transport.Termination {
		return &transport.Termination{Condition: transport.Moved, URI: uri}
	}
	const there = `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="wss://b.example/ws?a=1&amp;b=2" />`
	t.Run("W-03.25: in the middle", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.Close(moved("wss://b.example/ws?a=1&b=2"))
		c.want("the address", there)
		c.say(closeStream)
		c.wantCode("the end", 1000)
	}))
	t.Run("W-03.25, T-26: as the first answer", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c := s.dial()
		c.say(clientOpen)
		(<-s.backend).Close(moved("wss://b.example/ws?a=1&b=2"))
		c.want("the address", there)
	}))
	t.Run("W-03.25: by the backend's own <close/>", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(there)
		c.want("the address", there)
	}))
	t.Run("W-03.26: nor by the backend's own to less than wss", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		ws, _, err := s.dialWith(http.Header{"Origin": {"https://im.test"}}, "xmpp")
		if err != nil {
			t.Fatal(err)
		}
		c := &xmppClient{t, ws}
		defer c.Close()
		c.say(clientOpen)
		(<-s.backend).say(strings.Replace(there, "wss:", "ws:", 1))
		c.want("the bare end", closeStream)
	}))
	t.Run("W-03.26: never from wss to less", bubble(func(t *testing.T) {
		for uri, sent := range map[string]bool{
			"wss://b.example/ws": true, "https://b.example/bosh": true, "WSS://b.example/ws": true,
			"ws://b.example/ws": false, "http://b.example/bosh": false, "b.example": false, "": false,
		} {
			s := startXMPP(t, xmppOptions())
			ws, _, err := s.dialWith(http.Header{"Origin": {"https://im.test"}}, "xmpp")
			if err != nil {
				t.Fatal(err)
			}
			c := &xmppClient{t, ws}
			c.say(clientOpen)
			b := <-s.backend
			b.say(serverOpen)
			c.want("the answer", serverOpen)
			b.Close(moved(uri))
			if sent {
				c.want(uri, strings.Replace(closeStream, " />", ` see-other-uri="`+uri+`" />`, 1))
			} else {
				c.wantError(uri, "undefined-condition")
				c.want(uri, closeStream)
			}
			c.Close()
		}
	}))
}
