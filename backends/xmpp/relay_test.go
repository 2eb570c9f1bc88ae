package xmpp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

func TestRoutesChangeWhileItRuns(t *testing.T) {
	t.Attr("requirements", "B-17.9 B-17.10 T-39")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		if !w.relay.Serves("IM.example") || w.relay.Serves("new.example") {
			t.Error("it serves something else")
		}
		if err := w.relay.SetRoutes(map[string]Route{"new.example": {Addr: "there:5222", TLS: NoTLS}}); err != nil {
			t.Fatal(err)
		}
		if w.relay.Serves("im.example") || !w.relay.Serves("new.example") {
			t.Error("the routes are not the new ones")
		}
		w.say("<iq/>")
		w.wantBytes("a stream that runs keeps its server", "<iq/>")
		for target, want := range map[string]transport.Condition{
			"im.example": transport.HostGone, "never.example": transport.HostUnknown, "": transport.HostUnknown,
		} {
			_, err := w.s.Open(t.Context(), "two", target)
			var end *transport.Termination
			if !errors.As(err, &end) || end.Condition != want {
				t.Errorf("%q: %v, want %s", target, err, want)
			}
		}
		w.relay.SetRoutes(nil)
		w.relay.SetRoutes(map[string]Route{"im.example": {}})
		if !w.relay.Serves("im.example") || w.relay.table.Load().gone["im.example"] || !w.relay.table.Load().gone["new.example"] {
			t.Error("a domain that comes back counts as gone, or another does not")
		}
	})
}

func TestRoutesThatDoNotWorkChangeNothing(t *testing.T) {
	r := newRelay(t, noTLS())
	for name, bad := range map[string]map[string]Route{
		"a file that is not there":      {"a.example": {CAFile: "/nowhere/ca.pem"}},
		"a file without a certificate":  {"a.example": {CAFile: "relay_test.go"}},
		"an address without a port":     {"a.example": {Addr: "server"}},
		"no such mode":                  {"a.example": {TLS: 9}},
		"no such PROXY protocol":        {"a.example": {Proxy: 3}},
		"no domain":                     {"": {}},
		"a domain twice":                {"a.example": {}, "A.example": {}},
		"one that works beside another": {"a.example": {}, "b.example": {Addr: "server"}},
	} {
		if err := r.SetRoutes(bad); err == nil || !strings.Contains(err.Error(), "xmpp: domain") {
			t.Errorf("%s: %v", name, err)
		}
		if !r.Serves("im.example") || r.Serves("a.example") {
			t.Errorf("%s: the routes changed", name)
		}
		if _, err := NewRelay(&Options{Routes: bad}); err == nil {
			t.Errorf("%s: NewRelay takes it", name)
		}
	}
}

// batch is what the client gets in one response.
func (w *world) batch() (frames []string) {
	w.t.Helper()
	for frames = []string{w.next()}; len(w.frames) > 0; {
		frames = append(frames, w.next())
	}
	return frames
}

func TestWhatArrivesTogetherIsHandedOnTogether(t *testing.T) {
	t.Attr("requirements", "R-04.13 X-04.1")
	inBubble(t, noTLS(), func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("the header", clearHeader)
		w.write(serverHeader)
		w.write(features + "<presence/>")
		if got := w.batch(); !slices.Equal(got[:2], []string{openReply, featuresReply}) {
			t.Errorf("the header waits for its features: %q", got)
		}
		w.write(`<presence id='1'/> <presence id='2'/><presence id='3'/><presence`)
		if got := w.batch(); len(got) != 3 {
			t.Errorf("one write became %q", got)
		}
		w.write(" id='4'/>")
		if got := w.batch(); len(got) != 1 {
			t.Errorf("what is left became %q", got)
		}
		w.say(clientOpen)
		w.wantBytes("a restart", clearHeader)
		w.write(serverHeader)
		w.write(features)
		if got := w.batch(); !slices.Equal(got, []string{openReply, featuresReply}) {
			t.Errorf("after a restart, too: %q", got)
		}
	})
}

func TestLegacyServerHasNoFeatures(t *testing.T) {
	t.Attr("requirements", "R-04.11 R-04.12")
	inBubble(t, noTLS(), func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("the header", clearHeader)
		w.write(`<stream:stream id='old' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`)
		w.wantFrame("the header alone", `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='old'/>`)
	})
}

func TestEitherStyleOfNamespaces(t *testing.T) {
	t.Attr("requirements", "R-04.7 R-04.25")
	inBubble(t, noTLS(), func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("the header", clearHeader)
		w.write(`<stream xmlns='http://etherx.jabber.org/streams' version='1.0' id='1'><features/><message xmlns='jabber:client'/><error><odd xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error></stream>`)
		w.wantFrame("header", `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='1' version='1.0'/>`)
		w.wantFrame("features", `<features xmlns='http://etherx.jabber.org/streams'/>`)
		w.wantFrame("stanza", `<message xmlns='jabber:client'/>`)
		w.wantEnd("an unknown condition", transport.BackendError, "")
		if got := string(w.end.Payload[0].Data); !strings.Contains(got, "<odd xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>") {
			t.Errorf("passed on as %s", got)
		}
	})
}

const saslSuccess = `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`

func TestStanzasBeforeTheRestartWait(t *testing.T) {
	t.Attr("requirements", "A-12 X-05.2 T-09 T-10 R-04.17")
	login := func(w *world, success string) {
		w.begin()
		w.write(success)
		w.next()
	}
	t.Run("A-12 they follow the new header", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			login(w, saslSuccess)
			w.say("<iq id='1'/>")
			w.say("<iq id='2'/>")
			w.say(clientOpen)
			w.wantBytes("X-05.2", clearHeader+"<iq id='1'/><iq id='2'/>")
			w.say("<iq id='3'/>")
			w.wantBytes("then nothing waits", "<iq id='3'/>")
		})
	})
	t.Run("A-12 so much and no more", func(t *testing.T) {
		opts := noTLS()
		opts.MaxEarly = 24
		inBubble(t, opts, func(w *world) {
			login(w, saslSuccess)
			w.say("<iq id='1'/>")
			w.say("<iq id='2'/>")
			w.say("<iq id='3'/>")
			w.wantBytes("nothing of it", endTag)
			w.wantEnd("too much", transport.Policy, "restarted")
		})
	})
	t.Run("T-10 M-09.1 SASL2 needs no restart", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			login(w, `<success xmlns='urn:xmpp:sasl:2'/>`)
			w.say("<iq id='1'/>")
			w.wantBytes("at once", "<iq id='1'/>")
		})
	})
	t.Run("A-12 R-07.1 a restart without success is the server's to judge", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			w.say(clientOpen)
			w.wantBytes("performed", clearHeader)
			w.write(`<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`)
			w.wantEnd("R-04.17", transport.BackendError, "")
		})
	})
}

func TestCompressionIsNotOffered(t *testing.T) {
	t.Attr("requirements", "X-04.8 R-06.5 M-02.1")
	inBubble(t, noTLS(), func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("the header", clearHeader)
		const rest = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>EXTERNAL</mechanism></mechanisms><sm xmlns='urn:xmpp:sm:3'/>`
		w.write(serverHeader + `<stream:features>` + starttls + `<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>` + rest + `</stream:features>`)
		w.next()
		w.wantFrame("the rest as it was", `<stream:features xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'>`+rest+`</stream:features>`)
	})
}
