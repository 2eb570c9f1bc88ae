package bosh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// XEP-0124 §9: acknowledgements.

func TestAcknowledgements(t *testing.T) {
	t.Run("B-09.1 B-09.2 B-09.3 B-09.4 B-09.6 ack names a higher request, if all before it came", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{}})
		c := w.create("wait='60' hold='2' ack='1'") // three requests
		one := c.begin(c.at(1, "", ""))
		three := c.begin(c.at(3, "", ""))
		w.backend.stream().send(payload(1))
		w.wantXML("a gap above it", one.answer(), "<body xmlns='"+ns+"'>"+payload(1)+"</body>")
		two := c.begin(c.at(2, fmt.Sprintf("ack='%d'", first+1), ""))
		w.wantXML("held below another", two.answer(), fmt.Sprintf("<body xmlns='%s' ack='%d'/>", ns, first+3))
		w.wantHeld("newest", three)
		w.backend.stream().send(payload(2))
		w.wantXML("nothing above it", three.answer(), "<body xmlns='"+ns+"'>"+payload(2)+"</body>")
	}))

	t.Run("B-09.15 no ack where none were asked for", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		one := c.begin(c.at(1, "", ""))
		c.begin(c.at(2, "", ""))
		w.wantXML("held below another", one.answer(), empty)
	}))

	t.Run("B-09.14 without ack in a request, all before it were received", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0' hold='1' ack='1'")
		for n := 1; n <= 3; n++ {
			c.post(c.at(n, "", ""))
		}
		w.wantEnd("repeat of what was received", c.post(c.at(2, "", "")), "item-not-found")
	}))

	t.Run("B-14.9 B-09.7 what is not acknowledged is kept beyond the window", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0' hold='1' ack='1'")
		c.post(c.at(1, "", ""))
		var answers []*answer
		for n := 2; n <= 12; n++ {
			w.backend.stream().send(payload(n))
			answers = append(answers, c.post(c.at(n, fmt.Sprintf("ack='%d'", first+1), "")))
		}
		for i, a := range answers {
			w.wantXML(fmt.Sprint("repeat of ", i+2), c.post(c.at(i+2, fmt.Sprintf("ack='%d'", first+1), "")), a.xml)
		}
		w.wantEnd("repeat of what is", c.post(c.at(1, "", "")), "item-not-found")
	}))

	t.Run("B-09.16 ack 0 says nothing, ack of the future no more than the past", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0' hold='1' ack='1'")
		one := c.post(c.at(1, "ack='0'", ""))
		c.post(c.at(2, "ack='0'", ""))
		w.wantXML("repeat", c.post(c.at(1, "ack='0'", "")), one.xml)
		w.backend.stream().send(payload(3))
		three := c.post(c.at(3, fmt.Sprintf("ack='%d'", first+1000), ""))
		w.wantXML("repeat", c.post(c.at(3, "", "")), three.xml)
	}))

	t.Run("B-09.10 B-09.11 B-09.12 B-09.13 B-09.16 an answer that seems lost is named at once, with its age", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Report: true}})
		c := w.create("wait='60' hold='1' ack='1'")
		for n := 1; n <= 3; n++ {
			w.backend.stream().send(payload(n))
			c.post(c.at(n, map[int]string{3: fmt.Sprintf("ack='%d'", first+1)}[n], "")) // without the answer to 2
			time.Sleep(1234 * time.Millisecond)
		}
		before := time.Since(w.start)
		four := c.post(c.at(4, fmt.Sprintf("ack='%d'", first+1), ""))
		w.wantXML("request", four, fmt.Sprintf("<body xmlns='%s' report='%d' time='2468'/>", ns, first+2))
		w.wantAfter("request", four, before)
		time.Sleep(time.Second)
		w.wantXML("its repeat", c.post(c.at(4, fmt.Sprintf("ack='%d'", first+1), "")), four.xml)
		if a := c.post(c.at(2, "", "")); len(a.payloads) != 1 || a.payloads[0] != payload(2) {
			t.Errorf("the one reported: %q", a.xml)
		}
		w.wantHeld("nothing is missing", c.begin(c.at(5, "", "")))
	}))

	t.Run("B-09.12 T-38 its age fits its type", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Report: true, Polling: -1}})
		c := w.create("wait='0' hold='1' ack='1'")
		c.post(c.at(1, "", ""))
		time.Sleep(80 * time.Second)
		w.wantXML("request", c.post(c.at(2, fmt.Sprintf("ack='%d'", first), "")),
			fmt.Sprintf("<body xmlns='%s' report='%d' time='65535'/>", ns, first+1))
	}))

	t.Run("T-21 B-09.10 there are no reports unless they are wanted, on either side", bubble(func(t *testing.T) {
		for _, test := range []struct {
			report bool
			attrs  string
		}{{false, "ack='1'"}, {true, ""}} {
			w := newWorld(t, settings{bosh: bosh.Options{Report: test.report}})
			c := w.create("wait='60' hold='1' " + test.attrs)
			for n := 1; n <= 2; n++ {
				w.backend.stream().send(payload(n))
				c.post(c.at(n, "", ""))
			}
			w.wantHeld("request", c.begin(c.at(3, fmt.Sprintf("ack='%d'", first), "")))
		}
	}))
}
