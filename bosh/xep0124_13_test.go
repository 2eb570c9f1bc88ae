package bosh_test

import (
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// XEP-0124 §13: the end.

func TestTermination(t *testing.T) {
	t.Run("B-13.1 B-13.2 B-13.7 B-13.9 B-13.11 T-23 the only request is told, its payloads come first", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		bye := c.at(1, "type='terminate'", payload(1))
		want := "<body xmlns='" + ns + "' type='terminate'/>"
		w.wantXML("terminate", c.post(bye), want)
		w.wantReceived("then", payload(1)+" closed")
		w.wantXML("its repeat", c.post(bye), want)
		w.wantXML("another request", c.post(c.at(2, "", "")), terminal("item-not-found"))
		time.Sleep(bosh.DefaultWait + bosh.DefaultInactivity + 1)
		w.wantXML("its repeat, when all is forgotten", c.post(bye), terminal("item-not-found"))
		if s := w.manager.Stats(); s.Ended != 0 {
			t.Errorf("%d sessions remembered", s.Ended)
		}
	}))

	t.Run("B-13.4 B-13.5 B-13.6 T-11 A-2 the oldest is told, the others end empty", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Hold: 2}})
		c := w.create("wait='60' hold='2'")
		one, two := c.begin(c.at(1, "", "")), c.begin(c.at(2, "", ""))
		three := c.begin(c.at(3, "type='terminate'", ""))
		w.wantXML("oldest", one.answer(), "<body xmlns='"+ns+"' type='terminate'/>")
		w.wantXML("middle", two.answer(), empty)
		w.wantXML("terminate", three.answer(), empty)
		w.wantXML("repeat of the oldest", c.post(c.at(1, "", "")), one.answer().xml)
	}))

	t.Run("B-13.10 it takes effect in its turn", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		two := c.begin(c.at(2, "type='terminate'", payload(2)))
		w.wantHeld("terminate", two)
		one := c.begin(c.at(1, "", payload(1)))
		w.wantXML("oldest", one.answer(), "<body xmlns='"+ns+"' type='terminate'/>")
		w.wantXML("terminate", two.answer(), empty)
		w.wantReceived("all", payload(1)+" "+payload(2)+" closed")
	}))

	t.Run("A-10 T-35 gloox's spelling, B-17.24 and a reason, which is ignored", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		w.wantEnd("terminate", c.post(c.at(1, "type='terminal' condition='bad-request'", "")), "end")
	}))

	ends := []struct {
		name string
		t    *transport.Termination
		want string
	}{
		{"A-13 a backend that is done", nil, "<body xmlns='" + ns + "' type='terminate'/>"},
		{"B-17.17 a backend's error", &transport.Termination{Condition: transport.BackendError,
			Payload: []transport.Frame{{Data: []byte("<e xmlns='urn:e'/>")}}},
			"<body xmlns='" + ns + "' type='terminate' condition='remote-stream-error'><e xmlns='urn:e'/></body>"},
		{"B-17.9 a backend that is no longer served", &transport.Termination{Condition: transport.HostGone}, terminal("host-gone")},
		{"B-17.16 a backend that is not there", &transport.Termination{Condition: transport.Unreachable}, terminal("remote-connection-failed")},
		{"B-17.18 B-22.2 another address", &transport.Termination{Condition: transport.Moved, URI: "https://a.test/?a&b"},
			"<body xmlns='" + ns + "' type='terminate' condition='see-other-uri'><uri>https://a.test/?a&amp;b</uri></body>"},
		{"another address, unknown", &transport.Termination{Condition: transport.Moved}, terminal("undefined-condition")},
		{"B-17.12 our fault", &transport.Termination{Condition: transport.Internal}, terminal("internal-server-error")},
		{"A-15 too slow a reader", &transport.Termination{Condition: transport.Overflow}, terminal("policy-violation")},
		{"B-17.20 B-17.25 anything else", &transport.Termination{Condition: "odd"}, terminal("undefined-condition")},
	}
	for _, end := range ends {
		t.Run("B-17.6 "+end.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("")
			one := c.begin(c.at(1, "", ""))
			w.backend.stream().Stream.Close(end.t)
			w.wantXML("held", one.answer(), end.want)
			w.wantXML("its repeat", c.post(c.at(1, "", "")), end.want)
		}))
		t.Run("B-17.6 between two requests: "+end.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("")
			w.backend.stream().Stream.Close(end.t)
			w.wantXML("next", c.post(c.at(1, "", "")), end.want)
			w.wantXML("its repeat", c.post(c.at(1, "", "")), end.want)
		}))
	}

	t.Run("B-17.19 a server that goes down says so, and takes nobody in", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		if err := w.manager.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantXML("held", one.answer(), terminal("system-shutdown"))
		w.wantXML("creation", w.post(body("rid='5' to='be.test' ver='1.6'", "")), terminal("system-shutdown"))
		w.wantXML("late", c.post(c.at(2, "", "")), terminal("system-shutdown"))
	}))

	t.Run("T-12 last payloads share an answer with the end only if no other request can carry it", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Hold: 2}})
		c := w.create("wait='60' hold='2'")
		one, two := c.begin(c.at(1, "", "")), c.begin(c.at(2, "", ""))
		st := w.backend.stream()
		st.send(payload(1))
		st.Stream.Close(nil)
		w.wantXML("oldest", one.answer(), "<body xmlns='"+ns+"'>"+payload(1)+"</body>")
		w.wantXML("next", two.answer(), "<body xmlns='"+ns+"' type='terminate'/>")

		c = w.create("wait='60' hold='2'")
		st = w.backend.stream()
		st.send(payload(1))
		st.Stream.Close(nil)
		w.wantXML("alone", c.post(c.at(1, "", "")), "<body xmlns='"+ns+"' type='terminate'>"+payload(1)+"</body>")
	}))
}
