package bosh_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"

	"github.com/mochibosh/mochibosh/bosh"
)

// XEP-0124 §14: rids.

func TestOrder(t *testing.T) {
	t.Run("B-08.2 B-08.8 B-14.4 B-14.18 out of order on the way, in order to the backend and in the answers", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		two := c.begin(c.at(2, "", payload(2)))
		w.backend.stream().send(payload(0))
		time.Sleep(time.Second)
		w.wantHeld("early", two)
		w.wantReceived("the one before is missing", "")
		one := c.begin(c.at(1, "", payload(1)))
		w.wantReceived("both", payload(1)+" "+payload(2))
		w.wantXML("first", one.answer(), "<body xmlns='"+ns+"'>"+payload(0)+"</body>")
		w.wantHeld("second", two)
		w.wantAfter("second", two.answer(), 60*time.Second)
	}))

	t.Run("A-14 B-17.13 a gap that never fills ends the session", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		two := c.begin(c.at(2, "", payload(2)))
		w.wantXML("early", two.answer(), terminal("item-not-found"))
		w.wantAfter("early", two.answer(), bosh.DefaultWait+bosh.DefaultInactivity)
		w.wantReceived("then", "closed")
	}))

	t.Run("B-14.3 no precision is lost up to the largest rid", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		const last = 9007199254740991
		a := w.post(body(fmt.Sprintf("rid='%d' to='be.test' wait='0'", uint64(last-10)), ""))
		for rid := uint64(last - 9); rid <= last; rid++ {
			w.wantXML(fmt.Sprint(rid), w.post(body(fmt.Sprintf("sid='%s' rid='%d'", a.attrs["sid"], rid), "")), empty)
		}
		w.wantXML("one more", w.post(body(fmt.Sprintf("sid='%s' rid='%d'", a.attrs["sid"], uint64(last+1)), "")), terminal("bad-request"))
	}))

	t.Run("B-02.3 early requests with more than we keep are repeated, and none is lost", bubble(func(t *testing.T) {
		w := newWorld(t, settings{manager: transport.Options{Limits: transport.Params{MaxInbox: 100}}})
		c := w.create("wait='0' hold='3'")
		big := func(n int) string { return "<n xmlns='urn:test'>" + strings.Repeat(fmt.Sprint(n), 90) + "</n>" }
		two := c.begin(c.at(2, "", big(2)))
		if a := c.post(c.at(3, "", big(3))); a.err == nil {
			t.Errorf("one too many: %q", a.xml)
		}
		c.post(c.at(1, "", big(1)))
		two.answer()
		c.post(c.at(3, "", big(3)))
		w.wantReceived("all", big(1)+" "+big(2)+" "+big(3))
	}))
}

func TestWindow(t *testing.T) {
	t.Run("B-14.6 B-14.7 B-17.14 T-07 A-4 above the window the session ends, for all", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		w.wantXML("above", c.post(c.at(4, "", payload(4))), terminal("item-not-found"))
		w.wantXML("held", one.answer(), terminal("other-request"))
		w.wantReceived("then", "closed")
		w.wantXML("late", c.post(c.at(2, "", "")), terminal("item-not-found"))
	}))

	t.Run("B-13.9 the next request after that finds no session", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		c.post(c.at(4, "", ""))
		for n := 1; n <= 3; n++ {
			w.wantXML("late", c.post(c.at(n, "", "")), terminal("item-not-found"))
		}
	}))

	t.Run("B-14.6 the whole window is accepted", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		two := c.begin(c.at(2, "", ""))
		w.wantHeld("second of two", two)
	}))

	t.Run("A-11 one above it is for a pause or the end, no more", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		three := c.begin(c.at(3, "type='terminate'", ""))
		w.wantHeld("terminate", three)
		w.wantEnd("two above it", c.post(c.at(4, "type='terminate'", "")), "item-not-found")
	}))

	t.Run("B-14.17 too small, too large and unknown look alike", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		small, large := w.create(""), w.create("")
		unknown := w.post(body("sid='x' rid='1'", ""))
		for name, a := range map[string]*answer{
			"small": small.post(small.at(-1, "", "")),
			"large": large.post(large.at(99, "", "")),
		} {
			w.wantXML(name, a, unknown.xml)
			a.header.Del("Date")
			unknown.header.Del("Date")
			if fmt.Sprint(a.header) != fmt.Sprint(unknown.header) {
				t.Errorf("%s: headers %v and %v", name, a.header, unknown.header)
			}
		}
	}))

	t.Run("other sessions notice nothing", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c, other := w.create(""), w.create("")
		held := other.begin(other.at(1, "", ""))
		c.post(c.at(99, "", ""))
		w.wantHeld("other", held)
		w.wantAfter("other", held.answer(), 60*time.Second)
	}))
}

func TestRepeats(t *testing.T) {
	t.Run("B-14.8 B-14.11 B-14.12 the same bytes again, and nothing twice to the backend", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for n := 1; n <= 5; n++ {
			w.backend.stream().send(payload(100 + n))
			a := c.post(c.at(n, "", payload(n)))
			for range 2 {
				time.Sleep(10 * time.Second)
				w.transport.CloseIdleConnections()
				w.wantXML("repeat", c.post(c.at(n, "", payload(n))), a.xml)
			}
		}
		var want []string
		for n := 1; n <= 5; n++ {
			want = append(want, payload(n))
		}
		w.wantReceived("all", strings.Join(want, " "))
	}))

	t.Run("B-14.11 the creation's rid, too", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("ack='1'")
		w.wantXML("repeat", c.post(c.at(0, "", "")), c.created.xml)
	}))

	t.Run("B-14.9 B-14.16 the last two are kept while a third is held, and no more", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for n := 1; n <= 4; n++ {
			w.backend.stream().send(payload(n))
			c.post(c.at(n, "", ""))
		}
		held := c.begin(c.at(5, "", ""))
		for n := 3; n <= 4; n++ {
			if a := c.post(c.at(n, "", "")); len(a.payloads) != 1 || a.payloads[0] != payload(n) {
				t.Errorf("repeat of %d: %q", n, a.xml)
			}
		}
		w.wantXML("third last", c.post(c.at(2, "", "")), terminal("item-not-found"))
		w.wantHeld("the session goes on, for that was a late copy", held)
	}))

	t.Run("B-14.13 B-17.21 T-08 a repeat of a held request takes its place", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		old := c.begin(c.at(1, "", payload(1)))
		time.Sleep(66 * time.Second / 10)
		repeat := c.begin(c.at(1, "", payload(1)))
		w.wantXML("older copy", old.answer(), "<body xmlns='"+ns+"' type='error'/>")
		w.wantHeld("newer copy", repeat)
		w.backend.stream().send(payload(2))
		w.wantXML("newer copy", repeat.answer(), "<body xmlns='"+ns+"'>"+payload(2)+"</body>")
		w.wantReceived("once", payload(1))
		w.wantXML("third copy", c.post(c.at(1, "", payload(1))), repeat.answer().xml)
	}))

	t.Run("T-08 B-17.22 a repeat of one that waits for another takes its place, too", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		old := c.begin(c.at(2, "", payload(2)))
		repeat := c.begin(c.at(2, "", payload(2)))
		w.wantXML("older copy", old.answer(), "<body xmlns='"+ns+"' type='error'/>")
		w.wantHeld("newer copy", repeat)
		one := c.begin(c.at(1, "", payload(1)))
		w.wantXML("the missing one", one.answer(), empty)
		w.wantHeld("newer copy", repeat)
		w.wantReceived("once", payload(1)+" "+payload(2))
	}))

	t.Run("B-14.19 T-04 another content under the same rid is a repeat", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		a := c.post(c.at(1, "", payload(1)))
		w.wantXML("other content", c.post(c.at(1, "type='terminate'", payload(2))), a.xml)
		w.wantReceived("the first", payload(1))
	}))

	t.Run("B-14.21 a request that cannot be parsed uses up no rid", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.wantXML("malformed", c.post(c.at(1, "", "<n>")), terminal("bad-request"))
		w.wantXML("mended", c.post(c.at(1, "", payload(1))), empty)
		w.wantReceived("the mended one", payload(1))
	}))

	t.Run("B-11.4 a repeat never counts as one request more", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		var last *call
		for range 10 {
			last = c.begin(c.at(1, "", ""))
		}
		w.wantHeld("last", last)
	}))
}
