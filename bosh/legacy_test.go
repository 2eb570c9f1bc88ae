package bosh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// XEP-0124 §17.1: clients that name no version.

// createLegacy makes a session with hold 1 and two requests.
func (w *world) createLegacy() *client {
	w.t.Helper()
	a := w.post(body(fmt.Sprintf("rid='%d' to='be.test' wait='60' hold='1'", first), ""))
	if a.err != nil || a.attrs["sid"] == "" {
		w.t.Fatalf("no session: %+v", a)
	}
	return &client{world: w, sid: a.attrs["sid"], created: a}
}

func (w *world) wantStatus(what string, a *answer, status int, condition string) {
	w.t.Helper()
	if a.err != nil || a.status != status || a.condition() != condition {
		w.t.Errorf("%s: got %d %q %v, want %d, %q", what, a.status, a.xml, a.err, status, condition)
	}
}

func TestLegacy(t *testing.T) {
	t.Run("B-17.1 A-6 they are told our version", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		if got := w.createLegacy().created.attrs["ver"]; got != "1.11" {
			t.Errorf("ver %q", got)
		}
	}))

	t.Run("B-17.3 404 above the window, then and later; the others stay as they are", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.createLegacy()
		held := c.begin(c.at(1, "", ""))
		w.wantStatus("above", c.post(c.at(99, "", "")), 404, "item-not-found")
		w.wantStatus("held", held.answer(), 200, "other-request")
		w.wantStatus("A-6 late", c.post(c.at(2, "", "")), 404, "item-not-found")
	}))

	t.Run("B-17.3 403 for a pause too long", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.createLegacy()
		w.wantStatus("pause", c.post(c.at(1, "pause='9999'", "")), 403, "policy-violation")
		w.wantStatus("late", c.post(c.at(2, "", "")), 403, "policy-violation")
	}))

	t.Run("B-17.3 400 when a backend finds the request bad, again in a repeat", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.createLegacy()
		held := c.begin(c.at(1, "", payload(1)))
		w.backend.stream().Session().Terminate(&transport.Termination{Condition: transport.BadRequest})
		w.wantStatus("held", held.answer(), 400, "bad-request")
		w.wantStatus("repeat", c.post(c.at(1, "", payload(1))), 400, "bad-request")
	}))

	t.Run("A-6 404 after inactivity", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.createLegacy()
		time.Sleep(91 * time.Second)
		w.wantStatus("late", c.post(c.at(1, "", "")), 404, "item-not-found")
	}))

	t.Run("B-17.3 no other condition is replaced", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.wantStatus("unknown target", w.post(body("rid='5' to='nowhere.test'", "")), 200, "host-unknown")
		w.wantStatus("no target", w.post(body("rid='5'", "")), 200, "improper-addressing")
		c := w.createLegacy()
		w.wantStatus("terminate", c.post(c.at(1, "type='terminate'", "")), 200, "end")
	}))

	t.Run("A-6 A-9 nothing is replaced where no session tells the client's age", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.createLegacy()
		w.wantStatus("unknown sid", w.post(body("sid='x' rid='5'", "")), 200, "item-not-found")
		w.wantStatus("malformed", c.post(c.at(1, "", "<n>")), 200, "bad-request")
		w.wantHeld("the session lives", c.begin(c.at(1, "", "")))
	}))

	t.Run("B-17.2 a client with a version gets 200", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		w.wantStatus("above", c.post(c.at(99, "", "")), 200, "item-not-found")
	}))
}
