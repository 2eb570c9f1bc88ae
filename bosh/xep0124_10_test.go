package bosh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// XEP-0124 §10: inactivity and pauses.

func TestInactivity(t *testing.T) {
	t.Run("B-10.3 B-10.4 B-10.7 a silent client's session ends, and does not exist", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Inactivity: 30 * time.Second}})
		c := w.create("")
		r := c.begin(c.at(1, "", ""))
		w.wantAfter("held longer than inactivity", r.answer(), 60*time.Second)
		time.Sleep(30*time.Second - 1)
		w.wantReceived("just before", "")
		time.Sleep(time.Nanosecond)
		w.wantReceived("then", "closed")
		w.wantXML("late request", c.post(c.at(2, "", "")), terminal("item-not-found"))
		w.wantXML("late repeat", c.post(c.at(1, "", "")), terminal("item-not-found"))
	}))

	t.Run("the answer to the creation starts it", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.create("")
		time.Sleep(90 * time.Second)
		w.wantReceived("nobody came", "closed")
	}))

	t.Run("B-10.7 a request that waits for one before it stops the clock", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Inactivity: 10 * time.Second}})
		c := w.create("")
		two := c.begin(c.at(2, "", ""))
		time.Sleep(50 * time.Second)
		w.wantHeld("early", two)
		c.begin(c.at(1, "", payload(1)))
		w.wantReceived("in time", payload(1))
	}))
}

func TestPause(t *testing.T) {
	t.Run("B-10.9 B-10.10 B-10.13 a pause releases all requests and stretches one silence", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Inactivity: 30 * time.Second}})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		two := c.begin(c.at(2, "pause='60'", ""))
		w.wantXML("held", one.answer(), empty)
		w.wantXML("pause", two.answer(), empty)
		time.Sleep(50 * time.Second)
		three := c.begin(c.at(3, "", ""))
		w.wantHeld("after the pause", three)
		w.backend.stream().send(payload(1))
		three.answer()
		time.Sleep(30 * time.Second)
		w.wantReceived("the next silence", "closed")
	}))

	t.Run("B-10.10 B-10.12 a pause may be shorter than inactivity", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		c.post(c.at(1, "pause='5'", ""))
		time.Sleep(5 * time.Second)
		w.wantReceived("afterwards", "closed")
	}))

	t.Run("B-10.11 B-10.16 T-13 its answer has no payload, nor has a repeat; the next one has", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		w.backend.stream().send(payload(1))
		w.wantXML("pause", c.post(c.at(1, "pause='60'", "")), empty)
		w.wantXML("repeat", c.post(c.at(1, "pause='60'", "")), empty)
		if a := c.post(c.at(2, "", "")); len(a.payloads) != 1 {
			t.Errorf("next: %q", a.xml)
		}
	}))

	t.Run("B-10.15 B-11.2 it may be one above the window, and its payloads count", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='60' hold='1'")
		two := c.begin(c.at(2, "", ""))
		three := c.begin(c.at(3, "pause='60'", payload(3)))
		w.wantHeld("early", two)
		w.wantHeld("pause", three)
		one := c.begin(c.at(1, "", payload(1)))
		for i, r := range []*call{one, two, three} {
			w.wantXML(fmt.Sprint("request ", i+1), r.answer(), empty)
		}
		w.wantReceived("all", payload(1)+" "+payload(3))
	}))

	t.Run("B-10.14 A-8 too long a pause ends the session", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		w.wantXML("pause", c.post(c.at(2, "pause='121'", "")), terminal("policy-violation"))
		w.wantXML("held", one.answer(), terminal("other-request"))
		w.wantReceived("then", "closed")
		w.wantXML("late request", c.post(c.at(3, "", "")), terminal("policy-violation"))
	}))

	t.Run("B-10.14 a pause that is no number harms nothing", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for _, v := range []string{"-1", "x", "", "1.5"} {
			w.wantXML(v, c.post(c.at(1, "pause='"+v+"'", "")), terminal("bad-request"))
		}
		w.wantXML("another", c.post(c.at(1, "pause='60'", "")), empty)
	}))

	t.Run("B-10.8 where there are no pauses, it is a request like any other", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{MaxPause: -1}})
		c := w.create("")
		w.wantHeld("pause", c.begin(c.at(1, "pause='30'", "")))
	}))
}
