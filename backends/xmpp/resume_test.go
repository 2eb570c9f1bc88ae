package xmpp

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
	"github.com/mochibosh/mochibosh/transport"
)

// attributeOf returns the value of an attribute of a frame.
func attributeOf(t *testing.T, frame, name string) string {
	t.Helper()
	_, rest, _ := strings.Cut(frame, " "+name+"=")
	if rest == "" {
		t.Fatalf("no %s in %s", name, frame)
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value
}

func (w *world) untilEnd() *transport.Termination {
	w.t.Helper()
	for w.next() != "" {
	}
	return w.end
}

// Stream management is between client and server; nothing is counted twice,
// nothing withheld.
func streamManagement(t *testing.T, server *xmpptest.Server) {
	opts := &Options{Routes: map[string]Route{"im.example": {Addr: server.Addr, CAFile: server.CAFile}}}
	const space = " xmlns='urn:xmpp:sm:3'"
	enabled := func(t *testing.T) (w *world, id string) {
		w = newRealWorld(t, opts)
		if f := w.login("alice"); !strings.Contains(f, "urn:xmpp:sm:3") {
			t.Fatalf("M-02.1: features %s", f)
		}
		w.say("<enable" + space + " resume='true'/>")
		return w, attributeOf(t, w.until("<enabled"), "id") // M-03.2
	}
	t.Run("M-02.1 M-03.2 M-04.1 M-04.2 M-04.4 what was sent is what is counted", func(t *testing.T) {
		w, _ := enabled(t)
		for n := range 3 {
			w.say(fmt.Sprintf("<iq xmlns='jabber:client' type='get' id='%d' to='im.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", n))
			w.until(fmt.Sprintf("%d", n))
		}
		w.say("<r" + space + "/>")
		if h := attributeOf(t, w.until("<a "), "h"); h != "3" {
			t.Errorf("the server counted %s of 3", h)
		}
		w.say("<a" + space + " h='3'/>")
		w.say(clientClose)
		if end := w.untilEnd(); end.Condition != transport.Normal {
			t.Errorf("ended with %v", end)
		}
	})
	t.Run("M-05.1 M-07.1 W-03.34 a client that vanished resumes", func(t *testing.T) {
		w, id := enabled(t)
		w.s.Terminate(&transport.Termination{Condition: transport.Inactive})
		again := newRealWorld(t, opts)
		again.authenticate("alice")
		again.say("<resume" + space + " previd='" + id + "' h='0'/>")
		again.until("<resumed")
	})
	t.Run("M-05.3 R-04.27 the old stream learns that it was replaced", func(t *testing.T) {
		w, id := enabled(t)
		again := newRealWorld(t, opts)
		again.authenticate("alice")
		again.say("<resume" + space + " previd='" + id + "' h='0'/>")
		again.until("<resumed")
		if end := w.untilEnd(); end.Condition == transport.BackendError && !strings.Contains(string(end.Payload[0].Data), "<conflict") {
			t.Errorf("ended with %v", end) // Prosody says nothing
		}
	})
	t.Run("M-05.2 M-05.4 after a failure the client may bind", func(t *testing.T) {
		w := newRealWorld(t, opts)
		w.authenticate("alice")
		w.say("<resume" + space + " previd='" + strings.Repeat("x", 4000) + "' h='4294967295'/>")
		w.until("<failed")
		w.bind("alice")
	})
	t.Run("M-06.1 M-04.3 an impossible count ends the stream", func(t *testing.T) {
		w, _ := enabled(t)
		w.say("<a" + space + " h='4294967295'/>")
		if end := w.untilEnd(); end.Condition != transport.BackendError || !strings.Contains(string(end.Payload[0].Data), "<undefined-condition") {
			t.Errorf("ended with %v", end)
		}
	})
	t.Run("R-06.6 wrong passwords do not end the stream", func(t *testing.T) {
		w := newRealWorld(t, opts)
		w.say(clientOpen)
		w.until("<stream:features")
		for range 2 {
			w.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00wrong")) + `</auth>`)
			w.until("<failure")
		}
		w.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+xmpptest.Password)) + `</auth>`)
		w.until("<success")
	})
}
