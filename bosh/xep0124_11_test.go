package bosh_test

import (
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// XEP-0124 §11 and §12: too many requests, and polling sessions.

func TestPolling(t *testing.T) {
	five := settings{bosh: bosh.Options{Polling: 5 * time.Second}}

	t.Run("B-07.31 B-07.35 the time between polls is told, once", bubble(func(t *testing.T) {
		w := newWorld(t, five)
		c := w.create("wait='0'")
		if got := c.created.attrs["polling"]; got != "5" {
			t.Errorf("polling %q", got)
		}
		w.wantXML("later", c.post(c.at(1, "", "")), empty)
	}))

	for _, attrs := range []string{"wait='0' hold='1'", "wait='60' hold='0'"} {
		t.Run("B-12.4 two polls at once, answered with nothing: "+attrs, bubble(func(t *testing.T) {
			w := newWorld(t, five)
			c := w.create(attrs)
			w.wantXML("first", c.post(c.at(1, "", "")), empty)
			time.Sleep(time.Second)
			w.wantXML("second", c.post(c.at(2, "", "")), terminal("policy-violation"))
			w.wantReceived("then", "closed")
			w.wantXML("late", c.post(c.at(3, "", "")), terminal("policy-violation"))
		}))
	}

	t.Run("B-11.8 B-17.3 a client without a version is told by the status", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Polling: 5 * time.Second, Wait: -1}})
		c := w.createLegacy()
		c.post(c.at(1, "", ""))
		w.wantStatus("second", c.post(c.at(2, "", "")), 403, "policy-violation")
	}))

	t.Run("B-12.4 polls as far apart as they should be, or nearly", bubble(func(t *testing.T) {
		w := newWorld(t, five)
		c := w.create("wait='0'")
		for n := 1; n <= 10; n++ {
			w.wantXML("poll", c.post(c.at(n, "", "")), empty)
			time.Sleep(5*time.Second - time.Duration(n%3)*400*time.Millisecond)
		}
	}))

	t.Run("B-12.5 T-20 what is no poll", bubble(func(t *testing.T) {
		w := newWorld(t, five)
		c := w.create("wait='0'")
		n := 0
		next := func(what, attrs, payload string) {
			n++
			if a := c.post(c.at(n, attrs, payload)); a.err != nil || a.condition() != "" {
				t.Errorf("%s: %q %v", what, a.xml, a.err)
			}
		}
		next("the first after the creation", "", "")
		c.post(c.at(1, "", ""))
		c.post(c.at(1, "", "")) // B-11.4: repeats
		next("a payload", "", payload(1))
		next("after a payload", "", "")
		next("a pause", "pause='10'", "")
		next("after a pause", "", "")
		next("T-18 a target", "to='be.test'", "")
		next("after that", "", "")
		next("a restart", "xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true'", "")
		w.backend.stream().send(payload(2))
		next("that fetches something", "", "")
		next("after an answer that said something", "", "")
		next("another payload", "", payload(3))
		n++
		w.wantEnd("the end", c.post(c.at(n, "type='terminate'", "")), "end")
	}))

	t.Run("B-12.5 repeats are no polls, and the language says nothing", bubble(func(t *testing.T) {
		w := newWorld(t, five)
		c := w.create("wait='0'")
		for range 5 {
			w.wantXML("copy", c.post(c.at(1, "xml:lang='en'", "")), empty)
		}
		w.wantXML("second", c.post(c.at(2, "xml:lang='en'", "")), terminal("policy-violation"))
	}))

	t.Run("B-11.3 it is counted after reordering: two on the way at once harm nobody", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Polling: 5 * time.Second}})
		c := w.create("wait='0' hold='2'")
		two := c.begin(c.at(2, "", ""))
		time.Sleep(time.Second)
		w.wantXML("first", c.post(c.at(1, "", "")), empty)
		w.wantXML("second", two.answer(), empty)
	}))

	t.Run("B-11.7 B-12.6 without a limit told, any number of polls", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Polling: -1}})
		c := w.create("wait='0'")
		if got, ok := c.created.attrs["polling"]; ok {
			t.Errorf("polling %q", got)
		}
		for n := 1; n <= 100; n++ {
			w.wantXML("poll", c.post(c.at(n, "", "")), empty)
		}
	}))

	t.Run("B-12.3 a polling session may be silent for longer", bubble(func(t *testing.T) {
		w := newWorld(t, five)
		if got := w.create("wait='0'").created.attrs["inactivity"]; got != "100" {
			t.Errorf("inactivity %q", got)
		}
		if got := w.create("wait='60'").created.attrs["inactivity"]; got != "90" {
			t.Errorf("inactivity %q where requests are held", got)
		}
	}))
}

func TestOveractivity(t *testing.T) {
	t.Run("T-05 A-3 B-11.6 where requests are held, a newer one releases the older, as fast as it likes", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Polling: 5 * time.Second}})
		c := w.create("")
		last := c.begin(c.at(1, "", ""))
		for n := 2; n <= 20; n++ {
			newer := c.begin(c.at(n, "", ""))
			w.wantXML("older", last.answer(), empty)
			last = newer
		}
		w.wantHeld("newest", last)
	}))

	t.Run("B-11.6 B-11.5 B-17.15 A-3 where none can be released, one poll too many ends the session", bubble(func(t *testing.T) {
		stalled := func(t *testing.T) (*world, *client, *call, func()) {
			w := newWorld(t, settings{
				bosh:    bosh.Options{Polling: 5 * time.Second},
				manager: transport.Options{Limits: transport.Params{MaxInbox: 64}},
			})
			c := w.create("")
			st := w.backend.stream()
			st.gate = make(chan struct{})
			return w, c, c.begin(c.at(1, "", payload(1))), func() { close(st.gate) }
		}
		w, c, one, free := stalled(t)
		time.Sleep(time.Second)
		w.wantXML("poll", c.post(c.at(2, "", "")), terminal("policy-violation"))
		w.wantXML("held", one.answer(), terminal("other-request"))
		free()

		w, c, one, free = stalled(t)
		w.wantHeld("a payload", c.begin(c.at(2, "", payload(2))))
		w.wantHeld("held", one)
		free()

		w, c, one, free = stalled(t)
		time.Sleep(5 * time.Second)
		w.wantHeld("a poll in its time", c.begin(c.at(2, "", "")))
		w.wantHeld("held", one)
		free()
	}))
}

func TestManyRepeats(t *testing.T) {
	t.Run("B-14.14 B-14.15 B-17.15 a request repeated beyond the limit ends the session", bubble(func(t *testing.T) {
		for _, attrs := range []string{"wait='0'", "wait='60'"} {
			w := newWorld(t, settings{bosh: bosh.Options{Repeats: 10}})
			c := w.create(attrs)
			c.begin(c.at(1, "", ""))
			for range 10 {
				c.begin(c.at(1, "", ""))
			}
			w.wantReceived("within the limit", "")
			w.wantEnd("beyond", c.post(c.at(1, "", "")), "policy-violation")
			w.wantReceived("beyond", "closed")
		}
	}))

	t.Run("B-14.14 each request has a limit of its own, which may be none", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Repeats: -1}})
		c := w.create("wait='0'")
		for range 3 * bosh.DefaultRepeats {
			w.wantXML("repeat", c.post(c.at(1, "", "")), empty)
		}
	}))
}
