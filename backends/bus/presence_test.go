package bus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
)

// memberWith returns the id of who is present in t with this info.
func memberWith(h *house, info string) string {
	members, _, _ := h.bus.Presence(context.Background(), "t")
	for _, m := range members {
		if string(m.Info) == info {
			return m.ID
		}
	}
	return ""
}

// evict has another process take a member for gone.
func evict(h *house, id string) {
	h.bus.engine.Leave(context.Background(), "t", id)
	h.bus.topics["t"].Evicted(Member{ID: id})
}

func TestPresence(t *testing.T) {
	const sub = `{"op":"subscribe","topic":"t","presence":`
	joined := func(members string) string {
		return `{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true,"member":` + members + `}`
	}
	t.Run("members see who comes and goes, others do not", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		a, b, c := h.join(), h.join(), h.join()
		a.send(sub + `{"nick":"a"}}`)
		a.want("alone", joined(`"M1","members":[{"member":"M1","info":{"nick":"a"}}]`))
		c.send(`{"op":"subscribe","topic":"t"}`)
		c.want("not visible", subscribed(0, true))
		b.send(sub + `"b"}`)
		b.want("both", joined(`"M2","members":[{"member":"M1","info":{"nick":"a"}},{"member":"M2","info":"b"}]`))
		a.want("b came", `{"type":"join","topic":"t","member":"M2","info":"b"}`)
		c.send(`{"op":"presence","topic":"t","ref":1}`)
		c.want("asked", `{"type":"presence","ref":1,"topic":"t","members":[{"member":"M1","info":{"nick":"a"}},{"member":"M2","info":"b"}]}`)
		b.send(`{"op":"unsubscribe","topic":"t"}`)
		b.want("only its answer", `{"type":"unsubscribed","topic":"t"}`)
		a.want("b left", `{"type":"leave","topic":"t","member":"M2","info":"b"}`)
		c.want("nothing, ever")
	}))
	t.Run("the end of a session is a leave, that of a connection is not", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		a, b := h.join(), h.join()
		a.send(sub + `1}`)
		b.send(sub + `2}`)
		a.pull()
		a.frames = nil
		pending, err := b.session.PullFunc(transport.Pull{Attach: 1, Wait: 1e9}, func(transport.Response) {})
		if err != nil {
			t.Fatal(err)
		}
		pending.Stop()
		a.want("the connection of b broke")
		b.session.Terminate(nil)
		a.want("the session of b ended", `{"type":"leave","topic":"t","member":"M2","info":2}`)
	}))
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("who was taken for gone and is still here comes back; without events: ", silent), bubble(func(t *testing.T) {
			h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "*", NoEvents: silent}}})
			a, b := h.join(), h.join()
			a.send(sub + `1}`)
			b.send(sub + `2}`)
			a.pull()
			a.frames = nil
			gone := memberWith(h, "2")
			evict(h, gone)
			synctest.Wait()
			if silent {
				a.want("nobody is told")
			} else {
				a.want("all are told", `{"type":"leave","topic":"t","member":"M2","info":2}`, `{"type":"join","topic":"t","member":"M2","info":2}`)
			}
			if again := memberWith(h, "2"); again != gone {
				t.Errorf("present is %q, not %q", again, gone)
			}
			b.send(`{"op":"unsubscribe","topic":"t"}`)
			synctest.Wait()
			if again := memberWith(h, "2"); again != "" {
				t.Error("it left")
			}
		}))
	}
	t.Run("who was taken for gone and is at another process does not come back here", bubble(func(t *testing.T) {
		store := &shelf{saved: map[string][]byte{}}
		h := newHouse(t, nil)
		h.manager = transport.NewManager(&transport.Options{Backend: h.bus, Store: store})
		a := h.join()
		a.send(sub + `1}`)
		a.session.Stored(t.Context())
		store.fail(transport.ErrConflict)
		evict(h, memberWith(h, "1"))
		synctest.Wait()
		if again := memberWith(h, "1"); again != "" {
			t.Error("it is present")
		}
	}))
	t.Run("subscribing again changes the info, or hides", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		a, b := h.join(), h.join()
		a.send(sub + `1}`)
		b.send(sub + `2}`)
		a.pull()
		a.frames = nil
		b.send(sub + `3}`)
		a.want("changed", `{"type":"join","topic":"t","member":"M2","info":3}`)
		b.send(`{"op":"subscribe","topic":"t"}`)
		a.want("hidden", `{"type":"leave","topic":"t","member":"M2","info":3}`)
	}))
	t.Run("an id says nothing of the session", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p := h.join()
		p.send(sub+`1}`, `{"op":"subscribe","topic":"u","presence":1}`)
		members, _, err := h.bus.Presence(t.Context(), "t")
		if err != nil || len(members) != 1 {
			t.Fatal(members, err)
		}
		if id := members[0].ID; id == p.session.ID() || strings.Contains(p.session.ID(), id[:8]) {
			t.Errorf("member %q of session %q", id, p.session.ID())
		}
		if same, _, _ := h.bus.Presence(t.Context(), "u"); same[0].ID != members[0].ID {
			t.Error("another id in another topic")
		}
	}))
	t.Run("a member that was behind is told who is there", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "*", Slow: DropOldest}}})
		a, b := h.joinWith(transport.Params{MaxOutbox: 400}), h.join()
		a.send(sub + `1}`)
		a.pull()
		a.frames = nil
		h.publishUpTo(1, 10)
		b.send(sub + `2}`)
		synctest.Wait()
		a.want("late", append(numbered(1, 10),
			`{"type":"presence","topic":"t","members":[{"member":"M1","info":1},{"member":"M2","info":2}]}`)...)
		b.send(`{"op":"unsubscribe","topic":"t"}`)
		a.want("live again", `{"type":"leave","topic":"t","member":"M2","info":2}`)
	}))
	t.Run("two buses on one engine share it", bubble(func(t *testing.T) {
		engine := NewMemory(nil)
		a, b := newHouse(t, &Options{Engine: engine}).join(), newHouse(t, &Options{Engine: engine}).join()
		a.send(sub + `1}`)
		a.pull()
		a.frames = nil
		b.send(sub + `2}`)
		a.want("b came", `{"type":"join","topic":"t","member":"M2","info":2}`)
		b.publish("t", `"from b"`)
		a.want("b spoke", message(1, `"from b"`))
	}))
}
