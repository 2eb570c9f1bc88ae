package bosh_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// several is a world with streams to a.test and b.test, which are XMPP
// domains, and to bus, which is not.
func several(t *testing.T, set settings) (w *world, a, b, bus *backend) {
	a, b, bus = new(backend), new(backend), new(backend)
	set.streams = true
	set.manager.Backend = transport.Mux{"a.test": a, "b.test": b, "bus": bus}
	set.bosh.XMPP = func(to string) bool { return strings.HasSuffix(to, ".test") }
	set.bosh.OpeningWait = -1
	w = newWorld(t, set)
	w.backend = a
	return w, a, b, bus
}

// two is a session with a stream to a.test and one to b.test.
func two(t *testing.T, set settings) (c *client, a, b *stream, nameA, nameB string) {
	w, beA, beB, _ := several(t, set)
	c = w.create("to='a.test' wait='60' hold='1' " + xbosh + " xmpp:version='1.0'")
	added := c.post(c.at(1, "to='b.test' "+xbosh+" xmpp:version='1.0'", ""))
	return c, beA.stream(), beB.stream(), c.created.attrs["stream"], added.attrs["stream"]
}

func TestStreamsAreAdded(t *testing.T) {
	t.Run("B-07.43 B-16.1 B-16.2 B-16.4 the creation names the first stream, if there may be others", bubble(func(t *testing.T) {
		w, _, _, _ := several(t, settings{})
		one, another := w.create("to='a.test'"), w.create("to='a.test'")
		names := []string{one.created.attrs["stream"], another.created.attrs["stream"]}
		if len(names[0]) < 20 || names[0] == names[1] || strings.Contains(names[0], one.sid) {
			t.Errorf("names %q, session %q", names, one.sid)
		}
		w = newWorld(t, settings{})
		if _, ok := w.create("").created.attrs["stream"]; ok {
			t.Error("named, though it is switched off")
		}
	}))

	t.Run("B-16.5 B-16.6 B-16.7 B-16.9 B-16.10 X-04.9 a request adds another", bubble(func(t *testing.T) {
		w, _, beB, _ := several(t, settings{})
		c := w.create("to='a.test'")
		held := c.begin(c.at(1, "", ""))
		a := c.post(c.at(2, "to='b.test' xml:lang='de' from='me@b.test' route='xmpp:evil:1' ver='1.2' content='x' hold='9' wait='1' "+xbosh+" xmpp:version='1.0'", ""))
		w.wantXML("the held one goes first", held.answer(), empty)
		w.wantXML("the new one", a, "<body xmlns='"+ns+"' stream='"+a.attrs["stream"]+"' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>")
		if a.attrs["stream"] == "" || a.attrs["stream"] == c.created.attrs["stream"] {
			t.Errorf("named %q", a.attrs["stream"])
		}
		want := "<open xmlns='" + framing + "' to='b.test' from='me@b.test' version='1.0' xml:lang='de'/>"
		if got := beB.stream().received(); got != want {
			t.Errorf("its server got %s", got)
		}
		w.wantXML("the same again for a repeat", c.post(c.at(2, "to='b.test' "+xbosh+" xmpp:version='1.0'", "")), a.xml)
		if n := beB.opened(); n != 1 {
			t.Errorf("%d streams", n)
		}
	}))

	t.Run("B-16.11 B-16.12 B-16.16 what its server says follows, by its name", bubble(func(t *testing.T) {
		c, a, b, nameA, nameB := two(t, settings{})
		poll := c.begin(c.at(2, "", ""))
		b.send("<open xmlns='" + framing + "' from='b.test' id='s9' version='1.0'/>")
		c.wantXML("its opening", poll.answer(), "<body xmlns='"+ns+"' stream='"+nameB+"' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' authid='s9' from='b.test'/>")
		poll = c.begin(c.at(3, "", ""))
		b.send(features)
		c.wantXML("its features", poll.answer(), "<body xmlns='"+ns+"' stream='"+nameB+"' xmlns:stream='http://etherx.jabber.org/streams'>"+features+"</body>")
		poll = c.begin(c.at(4, "", ""))
		a.send(payload(1))
		c.wantXML("and that of the other", poll.answer(), "<body xmlns='"+ns+"' stream='"+nameA+"'>"+payload(1)+"</body>")
	}))

	t.Run("B-16.8 T-18 switched off, it is an empty request", bubble(func(t *testing.T) {
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		c.wantHeld("to another target", c.begin(c.at(1, "to='other.test'", "")))
		if n := w.backend.opened(); n != 1 {
			t.Errorf("%d streams", n)
		}
	}))

	t.Run("T-18 a client that writes to in every request", bubble(func(t *testing.T) {
		w, _, _, _ := several(t, settings{})
		c := w.create("to='a.test'")
		c.wantHeld("to the same target", c.begin(c.at(1, "to='a.test' xml:lang='en'", "")))
	}))

	t.Run("two accounts at one server", bubble(func(t *testing.T) {
		w, beA, _, _ := several(t, settings{})
		c := w.create("to='a.test'")
		c.post(c.at(1, "to='a.test' "+xbosh+" xmpp:version='1.0'", ""))
		if n := beA.opened(); n != 2 {
			t.Errorf("%d streams", n)
		}
	}))

	t.Run("one to a backend that is not XMPP", bubble(func(t *testing.T) {
		w, _, _, bus := several(t, settings{})
		c := w.create("to='a.test'")
		added := c.post(c.at(1, "to='bus'", ""))
		c.wantXML("the answer", added, "<body xmlns='"+ns+"' stream='"+added.attrs["stream"]+"'/>")
		poll := c.begin(c.at(2, "stream='"+added.attrs["stream"]+"'", "<json xmlns='urn:xmpp:json:0'>{}</json>"))
		if got := bus.stream().received(); got != "{}" {
			t.Errorf("it got %s", got)
		}
		bus.stream().send("[1]")
		c.wantXML("its payload", poll.answer(), "<body xmlns='"+ns+"' stream='"+added.attrs["stream"]+"'><json xmlns='urn:xmpp:json:0'>[1]</json></body>")
	}))

	t.Run("early by one, it waits for its turn", bubble(func(t *testing.T) {
		w, _, beB, _ := several(t, settings{})
		c := w.create("to='a.test'")
		early := c.begin(c.at(2, "to='b.test'", ""))
		c.wantHeld("before its turn", early)
		if n := beB.opened(); n != 0 {
			t.Errorf("%d streams", n)
		}
		w.wantXML("the missing one", c.post(c.at(1, "", payload(1))), empty)
		if early.answer().attrs["stream"] == "" || beB.opened() != 1 {
			t.Errorf("then: %q, %d streams", early.answer().xml, beB.opened())
		}
	}))
}

func TestStreamsThatCannotBeAdded(t *testing.T) {
	for _, test := range []struct {
		name, to, condition string
		set                 settings
	}{
		{name: "B-17.10 a target that is unknown", to: "nowhere.test", condition: "host-unknown"},
		{name: "A-8 more than the limit", to: "b.test", condition: "policy-violation", set: settings{manager: transport.Options{MaxStreams: 1}}},
	} {
		t.Run(test.name+", and the others live", bubble(func(t *testing.T) {
			w, _, _, _ := several(t, test.set)
			c := w.create("to='a.test'")
			added := c.post(c.at(1, "to='"+test.to+"'", ""))
			name := added.attrs["stream"]
			if name == "" || added.condition() != "" {
				t.Fatalf("the answer: %s", added.xml)
			}
			a := c.post(c.at(2, "", ""))
			c.wantXML("its end", a, "<body xmlns='"+ns+"' stream='"+name+"' type='terminate' condition='"+test.condition+"'/>")
			c.wantHeld("the others", c.begin(c.at(3, "", "")))
		}))
	}
}

func TestStreamsAreAddressed(t *testing.T) {
	t.Run("B-16.13 B-16.18 to one of them, answered with what the other sends", bubble(func(t *testing.T) {
		c, a, b, nameA, nameB := two(t, settings{})
		call := c.begin(c.at(2, "stream='"+nameB+"'", payload(1)))
		if got := b.received(); !strings.HasSuffix(got, " "+payload(1)) {
			t.Errorf("b got %s", got)
		}
		if got := a.received(); strings.Contains(got, payload(1)) {
			t.Errorf("a got %s", got)
		}
		a.send(payload(2))
		c.wantXML("the answer", call.answer(), "<body xmlns='"+ns+"' stream='"+nameA+"'>"+payload(2)+"</body>")
	}))

	t.Run("B-16.20 without a name, to all", bubble(func(t *testing.T) {
		c, a, b, _, _ := two(t, settings{})
		c.begin(c.at(2, "", payload(1)))
		for name, st := range map[string]*stream{"a": a, "b": b} {
			if got := st.received(); strings.Count(got, payload(1)) != 1 {
				t.Errorf("%s got %s", name, got)
			}
		}
	}))

	t.Run("B-16.14 payloads of two streams go in two answers", bubble(func(t *testing.T) {
		c, a, b, nameA, nameB := two(t, settings{})
		a.send(payload(1))
		b.send(payload(2))
		c.wantXML("one", c.post(c.at(2, "", "")), "<body xmlns='"+ns+"' stream='"+nameA+"'>"+payload(1)+"</body>")
		c.wantXML("two", c.post(c.at(3, "", "")), "<body xmlns='"+ns+"' stream='"+nameB+"'>"+payload(2)+"</body>")
	}))

	t.Run("B-16.15 B-16.25 a name that never was ends the session", bubble(func(t *testing.T) {
		c, a, b, _, _ := two(t, settings{})
		c.wantEnd("the answer", c.post(c.at(2, "stream='nope'", payload(1))), "item-not-found")
		for name, st := range map[string]*stream{"a": a, "b": b} {
			if got := st.received(); !strings.HasSuffix(got, "closed") {
				t.Errorf("%s got %s", name, got)
			}
		}
	}))

	t.Run("B-16.16 that of a stream just closed does not", bubble(func(t *testing.T) {
		c, _, b, _, nameB := two(t, settings{})
		b.Stream.Close(nil)
		c.wantXML("its end", c.post(c.at(2, "stream='"+nameB+"'", payload(1))), "<body xmlns='"+ns+"' stream='"+nameB+"' type='terminate'/>")
		c.wantHeld("another late one", c.begin(c.at(3, "stream='"+nameB+"'", payload(2))))
	}))

	t.Run("B-16.17 an empty request names none, and may", bubble(func(t *testing.T) {
		c, _, _, _, _ := two(t, settings{})
		c.wantHeld("an empty one", c.begin(c.at(2, "stream='nope'", "")))
	}))

	t.Run("X-05.10 B-16.27 one is restarted", bubble(func(t *testing.T) {
		c, a, b, _, nameB := two(t, settings{})
		c.begin(c.at(2, "stream='"+nameB+"' to='b.test' "+xbosh+" xmpp:restart='true'", ""))
		if got := b.received(); strings.Count(got, "<open ") != 2 {
			t.Errorf("b got %s", got)
		}
		if got := a.received(); strings.Count(got, "<open ") != 1 {
			t.Errorf("a got %s", got)
		}
	}))

	t.Run("X-05.10 no telling which", bubble(func(t *testing.T) {
		c, _, _, _, _ := two(t, settings{})
		c.wantEnd("the answer", c.post(c.at(2, xbosh+" xmpp:restart='true'", "")), "policy-violation")
	}))

	t.Run("X-05.10 the only one that is left", bubble(func(t *testing.T) {
		c, a, b, _, _ := two(t, settings{})
		b.Stream.Close(nil)
		c.post(c.at(2, "", ""))
		c.begin(c.at(3, xbosh+" xmpp:restart='true'", ""))
		if got := a.received(); strings.Count(got, "<open ") != 2 {
			t.Errorf("a got %s", got)
		}
	}))
}

func TestStreamsAreClosed(t *testing.T) {
	t.Run("B-16.21 B-16.26 by the client, one", bubble(func(t *testing.T) {
		c, a, b, _, nameB := two(t, settings{})
		held := c.begin(c.at(2, "", ""))
		last := c.begin(c.at(3, "type='terminate' stream='"+nameB+"'", payload(1)))
		c.wantXML("the older one goes first", held.answer(), empty)
		c.wantXML("the end of that stream", last.answer(), "<body xmlns='"+ns+"' stream='"+nameB+"' type='terminate'/>")
		if got := b.received(); !strings.HasSuffix(got, payload(1)+" closed") {
			t.Errorf("b got %s", got)
		}
		if got := a.received(); strings.Contains(got, payload(1)) || strings.Contains(got, "closed") {
			t.Errorf("a got %s", got)
		}
	}))

	t.Run("B-16.22 by the client, the last", bubble(func(t *testing.T) {
		c, _, _, nameA, nameB := two(t, settings{})
		c.post(c.at(2, "type='terminate' stream='"+nameB+"'", ""))
		c.wantXML("the end", c.post(c.at(3, "type='terminate' stream='"+nameA+"'", "")), ended)
		c.wantEnd("afterwards", c.post(c.at(4, "", "")), "item-not-found")
	}))

	t.Run("B-16.23 by the client, all", bubble(func(t *testing.T) {
		c, a, b, _, _ := two(t, settings{})
		c.wantXML("the end", c.post(c.at(2, "type='terminate'", payload(1))), ended)
		for name, st := range map[string]*stream{"a": a, "b": b} {
			if got := st.received(); !strings.HasSuffix(got, payload(1)+" closed") {
				t.Errorf("%s got %s", name, got)
			}
		}
	}))

	t.Run("a name that never was", bubble(func(t *testing.T) {
		c, _, _, _, _ := two(t, settings{})
		c.wantEnd("the end", c.post(c.at(2, "type='terminate' stream='nope'", "")), "item-not-found")
	}))

	t.Run("one just closed", bubble(func(t *testing.T) {
		c, _, b, _, nameB := two(t, settings{})
		b.Stream.Close(nil)
		c.post(c.at(2, "", ""))
		c.wantHeld("closed twice", c.begin(c.at(3, "type='terminate' stream='"+nameB+"'", "")))
	}))

	for _, end := range []struct {
		name, attrs string
		t           *transport.Termination
		payload     string
	}{
		{"B-16.24 by a lost connection", " condition='remote-connection-failed'", &transport.Termination{Condition: transport.Unreachable}, ""},
		{"A-13 by its server", "", nil, ""},
		{"B-16.24 by a stream error", " condition='remote-stream-error' xmlns:stream='http://etherx.jabber.org/streams'",
			&transport.Termination{Condition: transport.BackendError, Payload: []transport.Frame{{Data: []byte("<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>")}}},
			"<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>"},
	} {
		t.Run("B-16.12 B-16.19 "+end.name+", one, and the other lives", bubble(func(t *testing.T) {
			c, a, b, nameA, nameB := two(t, settings{})
			poll := c.begin(c.at(2, "", ""))
			b.Stream.Close(end.t)
			want := "<body xmlns='" + ns + "' stream='" + nameB + "' type='terminate'" + end.attrs + "/>"
			if end.payload != "" {
				want = strings.TrimSuffix(want, "/>") + ">" + end.payload + "</body>"
			}
			c.wantXML("the end", poll.answer(), want)
			poll = c.begin(c.at(3, "", ""))
			a.send(payload(1))
			c.wantXML("the other, by its name still", poll.answer(), "<body xmlns='"+ns+"' stream='"+nameA+"'>"+payload(1)+"</body>")
		}))
	}

	t.Run("by its server, the last: the session ends", bubble(func(t *testing.T) {
		c, a, b, _, _ := two(t, settings{})
		b.Stream.Close(nil)
		c.post(c.at(2, "", ""))
		poll := c.begin(c.at(3, "", ""))
		a.Stream.Close(&transport.Termination{Condition: transport.Unreachable})
		c.wantXML("the end", poll.answer(), terminal("remote-connection-failed"))
	}))

	t.Run("B-16.25 B-16.27 by silence, all at once", bubble(func(t *testing.T) {
		_, a, b, _, _ := two(t, settings{bosh: bosh.Options{Inactivity: 30 * time.Second}})
		time.Sleep(31 * time.Second)
		for name, st := range map[string]*stream{"a": a, "b": b} {
			if got := st.received(); !strings.HasSuffix(got, "closed") {
				t.Errorf("%s got %s", name, got)
			}
		}
	}))
}
