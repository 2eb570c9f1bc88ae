package bosh_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

const (
	framing  = "urn:ietf:params:xml:ns:xmpp-framing"
	xbosh    = "xmlns:xmpp='urn:xmpp:xbosh'"
	opening  = "<open xmlns='" + framing + "' from='be.test' id='s1' version='1.0'/>"
	features = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
)

// xmpp is a world whose target be.test is an XMPP domain. Its server sends
// the frames at once.
func xmpp(sends ...string) settings {
	return settings{
		bosh: bosh.Options{XMPP: func(to string) bool { return strings.HasSuffix(to, ".test") }},
		greet: func(st *transport.Stream) error {
			for _, f := range sends {
				st.TrySend([]byte(f))
			}
			return nil
		},
	}
}

func TestXEP0206Opening(t *testing.T) {
	t.Run("X-03.1 X-03.2 X-03.3 X-L.1 the creation opens the server's stream", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		w.create("xmlns:x='urn:xmpp:xbosh' x:version='1.0' from='me@be.test' xml:lang='de'")
		want := "<open xmlns='" + framing + "' to='be.test' from='me@be.test' version='1.0' xml:lang='de'/>"
		if got := w.backend.stream().received(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}))

	t.Run("X-11.1 A-7 without a version it is 1.0", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		w.create("")
		if got, want := w.backend.stream().received(), "<open xmlns='"+framing+"' to='be.test' version='1.0'/>"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}))

	t.Run("B-22.2 X-02.2 X-04.1 X-04.2 X-04.5 T-42 a fast server's features come with the creation", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		a := w.create(xbosh + " xmpp:version='1.0'").created
		w.wantAfter("the creation", a, 0)
		w.wantXML("the creation", a, "<body xmlns='"+ns+"' sid='"+a.attrs["sid"]+"' wait='60' requests='2' hold='1' ver='1.6' inactivity='90' maxpause='120'"+
			" accept='gzip,deflate' xmlns:xmpp='urn:xmpp:xbosh' xmpp:restartlogic='true' from='be.test' xmpp:version='1.0' authid='s1'"+
			" xmlns:stream='http://etherx.jabber.org/streams'>"+features+"</body>")
	}))

	t.Run("X-04.1 X-04.6 A-16 T-42 a slow server's come later; the creation waits as long as is set", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp())
		c := w.create("")
		w.wantAfter("the creation", c.created, bosh.DefaultOpeningWait)
		if c.created.attrs["restartlogic"] != "true" || c.created.attrs["version"] != "" || c.created.attrs["from"] != "be.test" {
			t.Errorf("created: %s", c.created.xml)
		}
		poll := c.begin(c.at(1, "", ""))
		c.wantHeld("an empty request for features", poll)
		st := w.backend.stream()
		st.TrySend([]byte(opening))
		st.send(features)
		a := poll.answer()
		w.wantXML("what the server opens with", a, "<body xmlns='"+ns+"' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' authid='s1'/>")
		w.wantXML("the features", c.post(c.at(2, "", "")), "<body xmlns='"+ns+"' xmlns:stream='http://etherx.jabber.org/streams'>"+features+"</body>")
	}))

	t.Run("B-07.7 the creation waits no longer than any request", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp())
		c := w.create("wait='5' hold='1'")
		w.wantAfter("the creation", c.created, 5*time.Second)
	}))

	t.Run("X-03.4 a stream's tag is no payload", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening))
		c := w.create("")
		w.wantEnd("a tag", c.post(c.at(1, "", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>")), "bad-request")
		w.wantXML("the session lives", c.post(c.at(1, "type='terminate'", "")), ended)
	}))
}

func TestXEP0206Restart(t *testing.T) {
	restarted := "<open xmlns='" + framing + "' to='be.test' version='1.0' xml:lang='en'/>"
	for _, test := range []struct {
		name, attrs, payload string
		want                 string
	}{
		{"X-05.3 X-05.4 X-05.5 true", xbosh + " xmpp:restart='true' to='be.test' xml:lang='en'", "", restarted},
		{"X-04.10 X-11.1 1", xbosh + " xmpp:restart='1' to='be.test' xml:lang='en'", "", restarted},
		{"X-04.10 T-02 another prefix", "xmlns:p='urn:xmpp:xbosh' p:restart=' true ' to='be.test' xml:lang='en'", "", restarted},
		{"X-05.4 X-05.5 nothing else said", xbosh + " xmpp:restart='true'", "", "<open xmlns='" + framing + "' version='1.0'/>"},
		{"X-05.7 from, for EXTERNAL", xbosh + " xmpp:restart='true' from='me@be.test'", "", "<open xmlns='" + framing + "' from='me@be.test' version='1.0'/>"},
		{"X-05.6 T-09 payloads follow it", xbosh + " xmpp:restart='true'", "<iq xmlns='jabber:client'/>", "<open xmlns='" + framing + "' version='1.0'/> <iq xmlns='jabber:client'/>"},
		{"X-04.10 0", xbosh + " xmpp:restart='0'", "<iq xmlns='jabber:client'/>", "<iq xmlns='jabber:client'/>"},
		{"X-11.1 without a namespace", "restart='true'", "<iq xmlns='jabber:client'/>", "<iq xmlns='jabber:client'/>"},
		{"X-11.1 in another one", "xmlns:xmpp='urn:other' xmpp:restart='true'", "<iq xmlns='jabber:client'/>", "<iq xmlns='jabber:client'/>"},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, xmpp(opening, features))
			c := w.create("")
			before := w.backend.stream().received()
			c.begin(c.at(1, test.attrs, test.payload))
			if got := strings.TrimPrefix(w.backend.stream().received(), before+" "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if n := w.backend.opened(); n != 1 {
				t.Errorf("%d streams", n)
			}
		}))
	}

	t.Run("X-04.10 TRUE is no boolean", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		w.wantEnd("TRUE", c.post(c.at(1, xbosh+" xmpp:restart='TRUE'", "")), "bad-request")
	}))

	t.Run("X-04.3 X-05.9 the features that follow", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		restart := c.begin(c.at(1, xbosh+" xmpp:restart='true' to='be.test'", ""))
		w.wantHeld("a restart", restart)
		w.backend.stream().send(features)
		w.wantXML("a restart", restart.answer(), "<body xmlns='"+ns+"' xmlns:stream='http://etherx.jabber.org/streams'>"+features+"</body>")
	}))
}

func TestXEP0206Payloads(t *testing.T) {
	t.Run("X-02.1 features come by themselves", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp())
		c := w.create("")
		const iq, late = "<iq xmlns='jabber:client' id='1'/>", "<iq xmlns='jabber:client' id='2'/>"
		if err := w.backend.stream().TrySend([]byte(iq), []byte(opening), []byte(features), []byte(late)); err != nil {
			t.Fatal(err)
		}
		w.wantXML("what was under way", c.post(c.at(1, "", "")), "<body xmlns='"+ns+"'>"+iq+"</body>")
		w.wantXML("the features", c.post(c.at(2, "", "")), "<body xmlns='"+ns+"' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' authid='s1'"+
			" xmlns:stream='http://etherx.jabber.org/streams'>"+features+"</body>")
		w.wantXML("what follows", c.post(c.at(3, "", "")), "<body xmlns='"+ns+"'>"+late+"</body>")
	}))

	for _, test := range []struct{ name, attrs, payload, want string }{
		{"X-02.4 with their namespace", "", "<message xmlns='jabber:client'><body>x</body></message>", "<message xmlns='jabber:client'><body>x</body></message>"},
		{"X-02.5 T-01 without, as many clients do", "", "<message to='a'><body>x</body></message>", "<message xmlns='jabber:client' to='a'><body>x</body></message>"},
		{"X-02.5 with the wrapper's own prefix", "xmlns:b='" + ns + "'", "<b:iq><b:q/></b:iq>", "<b:iq xmlns:b='jabber:client'><b:q/></b:iq>"},
		{"T-41 X-02.8 any other namespace", "", "<enable xmlns='urn:xmpp:sm:3'/><active xmlns='urn:xmpp:csi:0'/><authenticate xmlns='urn:xmpp:sasl:2' mechanism='X'/>",
			"<enable xmlns='urn:xmpp:sm:3'/> <active xmlns='urn:xmpp:csi:0'/> <authenticate xmlns='urn:xmpp:sasl:2' mechanism='X'/>"},
		{"T-31 prefixes declared on the wrapper", "xmlns:e='urn:e'", "<message xmlns='jabber:client' e:a='1'/>", "<message xmlns:e='urn:e' xmlns='jabber:client' e:a='1'/>"},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, xmpp(opening, features))
			c := w.create("")
			before := w.backend.stream().received()
			c.begin(c.at(1, test.attrs, test.payload))
			if got := strings.TrimPrefix(w.backend.stream().received(), before+" "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		}))
	}
}

func TestXEP0206Ends(t *testing.T) {
	streamError := "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>elsewhere</text></stream:error>"
	message := "<message xmlns='jabber:client'/>"

	t.Run("X-02.3 X-06.1 B-17.7 B-17.17 the server's stream error, whole, after the stanzas", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		w.backend.stream().TrySend([]byte(message))
		w.backend.stream().Stream.Close(&transport.Termination{Condition: transport.BackendError, Payload: []transport.Frame{{Data: []byte(streamError)}}})
		w.wantXML("the end", c.post(c.at(1, "", "")), "<body xmlns='"+ns+"' type='terminate' condition='remote-stream-error' xmlns:stream='http://etherx.jabber.org/streams'>"+message+streamError+"</body>")
	}))

	t.Run("A-13 a clean end has no condition", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		poll := c.begin(c.at(1, "", ""))
		w.backend.stream().Stream.Close(nil)
		w.wantXML("the end", poll.answer(), ended)
	}))

	t.Run("B-17.16 a server that cannot be reached", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp())
		creation := w.begin(body("rid='7' to='be.test' ver='1.6'", ""))
		w.backend.stream().Stream.Close(&transport.Termination{Condition: transport.Unreachable, Text: "no"})
		w.wantEnd("the creation", creation.answer(), "remote-connection-failed")
	}))

	t.Run("B-13.1 the client's last payloads reach the server", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		w.wantXML("the end", c.post(c.at(1, "type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>")), ended)
		synctest.Wait()
		if got := w.backend.stream().received(); !strings.HasSuffix(got, "<presence xmlns='jabber:client' type='unavailable'/> closed") {
			t.Errorf("the server got %s", got)
		}
	}))
}

// ended is the answer that ends a session gracefully.
const ended = "<body xmlns='" + ns + "' type='terminate'/>"
