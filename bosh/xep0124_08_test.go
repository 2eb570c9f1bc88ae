package bosh_test

import (
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// XEP-0124 §8: payloads, holding, and the order of answers.

func TestHolding(t *testing.T) {
	t.Run("B-08.5 B-08.6 B-08.9 B-04.2 T-06 a request is held for its wait, then answered empty", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='30' hold='1'")
		time.Sleep(5 * time.Second)
		r := c.begin(c.at(1, "", ""))
		w.wantHeld("request", r)
		w.wantXML("request", r.answer(), empty)
		w.wantAfter("request", r.answer(), 35*time.Second)
	}))

	t.Run("B-08.1 B-08.13 payloads are delivered at once, and held like nothing", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='30' hold='1'")
		r := c.begin(c.at(1, "", payload(1)+payload(2)))
		w.wantReceived("before the answer", payload(1)+" "+payload(2))
		w.wantHeld("request", r)
		w.wantAfter("request", r.answer(), 30*time.Second)
	}))

	t.Run("B-08.10 payloads of the server go to the held request at once", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		r := c.begin(c.at(1, "", ""))
		time.Sleep(7 * time.Second)
		w.backend.stream().send(payload(1))
		a := r.answer()
		w.wantXML("request", a, "<body xmlns='"+ns+"'>"+payload(1)+"</body>")
		w.wantAfter("request", a, 7*time.Second)
	}))

	t.Run("B-04.1 B-08.7 T-05 a newer request releases the older", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		time.Sleep(time.Second)
		two := c.begin(c.at(2, "", ""))
		w.wantXML("older", one.answer(), empty)
		w.wantAfter("older", one.answer(), time.Second)
		w.wantHeld("newer", two)
		w.wantAfter("newer", two.answer(), 61*time.Second)
	}))

	t.Run("B-08.11 B-08.15 what comes while nothing is held goes with the next request", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for n := range 20 {
			w.backend.stream().send(payload(n))
		}
		a := c.post(c.at(1, "", ""))
		w.wantAfter("next request", a, 0)
		if len(a.payloads) != 20 {
			t.Fatalf("%d payloads", len(a.payloads))
		}
		for n, p := range a.payloads {
			if p != payload(n) {
				t.Errorf("payload %d is %q", n, p)
			}
		}
	}))

	for _, attrs := range []string{"wait='0' hold='1'", "wait='60' hold='0'"} {
		t.Run("B-07.9 B-12.7 A-17 a poll is answered at once: "+attrs, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create(attrs)
			w.wantXML("first poll", c.post(c.at(1, "", "")), empty)
			w.backend.stream().send(payload(1))
			a := c.post(c.at(2, "", ""))
			w.wantAfter("second poll", a, 0)
			if len(a.payloads) != 1 {
				t.Errorf("second poll: %q", a.xml)
			}
		}))
	}

	t.Run("hold 2, where it is granted, holds two", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Hold: 2}})
		c := w.create("wait='60' hold='2'")
		one, two := c.begin(c.at(1, "", "")), c.begin(c.at(2, "", ""))
		w.wantHeld("first", one)
		w.wantHeld("second", two)
		three := c.begin(c.at(3, "", ""))
		w.wantXML("first", one.answer(), empty)
		w.wantHeld("second", two)
		w.wantHeld("third", three)
	}))

	t.Run("B-02.3 H-18 T-36 a client that goes away ends nothing, and gets no payloads", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		one.cancel()
		w.wantHeld("gone", &call{done: make(chan *answer)})
		w.backend.stream().send(payload(1))
		time.Sleep(10 * time.Second)
		two := c.post(c.at(2, "", ""))
		if len(two.payloads) != 1 || two.payloads[0] != payload(1) {
			t.Errorf("next request: %q", two.xml)
		}
		w.wantXML("repeat of the one that went", c.post(c.at(1, "", "")), empty)
	}))

	t.Run("B-02.3 the repeat of a request whose connection broke gets the payloads", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", payload(1)))
		one.cancel()
		w.backend.stream().send(payload(2))
		a := c.post(c.at(1, "", payload(1)))
		if len(a.payloads) != 1 || a.payloads[0] != payload(2) {
			t.Errorf("repeat: %q", a.xml)
		}
		w.wantReceived("both", payload(1))
	}))
}
