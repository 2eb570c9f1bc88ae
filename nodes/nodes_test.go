package nodes_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/nodes"
)

// each runs a test with nodes that hold requests without a goroutine, and with
// net/http, which waits.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	for name, parks := range map[string]bool{"parked": true, "waiting": false} {
		t.Run(name, func(t *testing.T) { f(t, newWorld(t, parks)) })
	}
}

func TestAnyNodeTakesAnyRequest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b, c := w.join("a"), w.join("b"), w.join("c")
		t.Run("long-poll", func(t *testing.T) {
			x := create(t, a, "")
			x.subscribe(b, "t")
			x.publish(c, "t", "one")
			x.until(b, "one")
			x.publish(a, "t", "two")
			x.until(c, "two")
		})
		t.Run("a held request is answered where it is held", func(t *testing.T) {
			x, y := create(t, a, ""), create(t, c, "")
			x.subscribe(b, "held")
			got := make(chan object)
			x.attach++
			go func() {
				_, o, _ := x.try(b, object{Attach: x.attach, Ack: x.ack})
				got <- o
			}()
			eventually(t, "it is held", func() bool { return b.Stats().Waiting == 1 && a.Stats().Serving == 1 })
			y.publish(c, "held", "now")
			if o := <-got; len(o.Messages) != 1 || !strings.Contains(string(o.Messages[0]), "now") {
				t.Errorf("got %+v", o)
			}
			eventually(t, "nothing is left of it", func() bool { return b.Stats().Waiting+a.Stats().Serving == 0 })
		})
		t.Run("a client that goes away takes its request with it", func(t *testing.T) {
			x := create(t, a, "")
			x.attach++
			body := fmt.Sprintf(`{"session":%q,"key":%q,"attach":1}`, x.session, x.key)
			conn := dial(t, b)
			fmt.Fprintf(conn, "POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			eventually(t, "it is held", func() bool { return a.Stats().Serving == 1 })
			conn.Close()
			eventually(t, "it is not any more", func() bool { return b.Stats().Waiting+a.Stats().Serving == 0 })
		})
		t.Run("server-sent events", func(t *testing.T) {
			x, y := create(t, a, ""), create(t, c, "")
			x.subscribe(a, "events")
			e := x.stream(b, c)
			if o, ok := e.next(); !ok || o.First != 2 {
				t.Fatalf("the stream begins with %+v, %v", o, ok)
			}
			for i := range 100 {
				y.publish(b, "events", fmt.Sprint("message ", i))
			}
			for i := 0; i < 100; {
				o, ok := e.next()
				if !ok {
					t.Fatal("the stream ended")
				}
				for _, m := range o.Messages {
					if want := fmt.Sprintf(`"message %d"`, i); !strings.Contains(string(m), want) {
						t.Fatalf("got %s, want %s", m, want)
					}
					i++
				}
			}
			e.body.Close()
			eventually(t, "nothing is left of it", func() bool { return c.Stats().Waiting+a.Stats().Serving == 0 })
		})
		t.Run("an event stream whose client does not read holds nobody up", func(t *testing.T) {
			x := create(t, a, "fixed")
			e := x.stream(b, c)
			long := `"` + strings.Repeat("x", 60<<10) + `"`
			for range 100 {
				status, _, err := x.try(a, object{First: x.sent + 1, Messages: raw(long)})
				if err != nil || status != http.StatusOK {
					break // what it is owed has a limit, and it is over
				}
				x.sent++
			}
			y := create(t, a, "")
			y.subscribe(c, "free")
			n := 0
			for o, ok := e.next(); ok && o.End == nil; o, ok = e.next() {
				n += len(o.Messages)
			}
			if n == 0 {
				t.Error("nothing came")
			}
		})
		t.Run("BOSH", func(t *testing.T) {
			s := &boshClient{t: t, rid: 100}
			s.create(a)
			if got := s.say(b, `<json xmlns='urn:xmpp:json:0'>{"op":"subscribe","topic":"b"}</json>`); !strings.Contains(got, "subscribed") {
				t.Fatal(got)
			}
			if got := s.say(c, `<json xmlns='urn:xmpp:json:0'>{"op":"publish","topic":"b","data":"hello"}</json>`); !strings.Contains(got, "hello") && !strings.Contains(got, "published") {
				t.Fatal(got)
			}
		})
		t.Run("a WebSocket takes its session along", func(t *testing.T) {
			x, y := create(t, a, ""), create(t, c, "")
			x.subscribe(a, "w")
			conn, o := x.socket(b)
			if o.Error != nil || o.First != 2 {
				t.Fatalf("it begins with %+v", o)
			}
			y.publish(a, "w", "over there")
			if err := conn.ReadJSON(&o); err != nil || len(o.Messages) != 1 {
				t.Fatalf("got %+v, %v", o, err)
			}
			x.took(object{First: 2, Messages: o.Messages})
			if n := b.manager.Stats().Sessions; n != 1 {
				t.Errorf("%d sessions where it went", n)
			}
			x.publish(c, "w", "and back") // the first guess is wrong now
			x.until(a, "and back")
		})
		t.Run("a session that cannot move stays, and says so", func(t *testing.T) {
			x := create(t, a, "fixed")
			if _, o := x.socket(b); o.Error == nil || o.Error.Code != "unavailable" {
				t.Errorf("got %+v", o)
			}
			x.send(b, `"still there"`)
			x.until(c, "still there")
		})
		t.Run("a WebSocket has a session go on that its owner does not have, though it is there", func(t *testing.T) {
			d := w.join("d")
			x, y := create(t, d, ""), create(t, c, "")
			x.subscribe(d, "lost")
			d.die()
			w.join("d") // once more, with nothing
			eventually(t, "it is there", func() bool { return slices.Contains(b.Peers(), "d") })
			conn, o := x.socket(b)
			if o.Error != nil {
				t.Fatalf("got %+v", o.Error)
			}
			y.publish(a, "lost", "found")
			if err := conn.ReadJSON(&o); err != nil || len(o.Messages) != 1 {
				t.Fatalf("got %+v, %v", o, err)
			}
		})
		t.Run("of what is nowhere, every node knows that", func(t *testing.T) {
			x := &client{t: t, session: "9e7b3e0c-0000-4000-8000-000000000000.a", key: "k"}
			for _, n := range []*node{a, b} {
				if status, o, _ := x.try(n, object{}); status != http.StatusGone {
					t.Errorf("at %s: %d, %+v", n.Name(), status, o)
				}
				if _, o := x.socket(n); o.Error == nil || o.Error.Code != "gone" {
					t.Errorf("over a WebSocket at %s: %+v", n.Name(), o)
				}
			}
			x.session = "9e7b3e0c-0000-4000-8000-000000000000.never-there"
			eventually(t, "nobody has heard of that node", func() bool {
				status, _, _ := x.try(b, object{})
				return status == http.StatusGone
			})
		})
	})
}

func TestNodeDies(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b, c := w.join("a"), w.join("b"), w.join("c")
		x, y, stuck := create(t, a, ""), create(t, b, ""), create(t, a, "fixed")
		x.subscribe(a, "t")
		y.publish(b, "t", "before")
		x.until(a, "before")

		held := make(chan object)
		x.attach++
		go func() {
			_, o, _ := x.try(b, object{Attach: x.attach, Ack: x.ack})
			held <- o
		}()
		eventually(t, "it is held at its owner", func() bool { return a.Stats().Serving == 1 })
		a.die()

		y.publish(c, "t", "after")
		if o := <-held; len(o.Messages) != 1 || !strings.Contains(string(o.Messages[0]), "after") {
			t.Errorf("the held request is answered by who took over: %+v", o)
		}
		if n := b.Stats().TakenOver; n != 1 {
			t.Errorf("%d sessions taken over", n)
		}
		x.publish(c, "t", "and on")
		x.until(c, "and on")
		if status, o, _ := stuck.try(c, object{}); status != http.StatusGone {
			t.Errorf("a session that was only there is gone at once: %d, %+v", status, o)
		}

		again := w.join("a")
		x.publish(again, "t", "back again")
		x.until(again, "back again")
		if n := again.manager.Stats().Sessions; n != 0 {
			t.Errorf("its sessions went on elsewhere: %d", n)
		}
	})
}

func TestNodeLeaves(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.join("a"), w.join("b")
		x, y := create(t, a, ""), create(t, b, "")
		x.subscribe(b, "t")
		eventually(t, "they know of each other", func() bool { return slices.Equal(b.Peers(), []string{"a"}) })
		a.leave()
		y.publish(b, "t", "anybody here?")
		x.until(b, "anybody here?")
	})
}

// A node that is cut off, as one is that was stopped, has its clients still, and
// sessions that others have taken over.
func TestNodeIsCutOff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.join("a"), w.join("b")
		x, y := create(t, a, ""), create(t, b, "")
		x.subscribe(a, "t")

		x.attach++
		held := make(chan object, 1)
		go func() {
			_, o, _ := x.try(a, object{Attach: x.attach, Ack: x.ack})
			held <- o
		}()
		eventually(t, "it is held", func() bool { return a.manager.Stats().Sessions == 1 })
		a.cut()
		y.publish(b, "t", "while it was away")
		x2 := *x // the client asks another node
		x2.comesTo(b)
		if o := <-held; len(o.Messages) > 0 {
			t.Errorf("the old one delivers: %+v", o)
		}
		a.heal()
		eventually(t, "the old one lets go", func() bool { return a.manager.Stats().Sessions == 0 })
		x2.insists(a, "t", "all is well")
		x2.until(a, "all is well")
	})
}

// A node is cut off together with its server of NATS: it hears itself all the time, and
// its connection is never lost.
func TestNodeIsCutOffWithItsServer(t *testing.T) {
	w := newWorldOn(t, clustered(), true)
	road := w.near(t)
	a, b, c := w.joinNear("a"), w.join("b"), w.join("c")
	x, y := create(t, a, ""), create(t, b, "")
	x.subscribe(a, "t")
	eventually(t, "they know each other", func() bool { return len(a.Peers()) == 2 && len(b.Peers()) == 2 && len(c.Peers()) == 2 })

	road.set(true)
	a.wire.pretend(true) // the store is on the other side
	y.publish(b, "t", "while it was away")
	x.comesTo(b)
	x.publish(c, "t", "at its new home")
	x.until(b, "at its new home")
	a.wire.pretend(false)
	road.set(false)
	// Nothing is said in the session: it finds out all the same.
	eventually(t, "the old one lets go", func() bool { return a.manager.Stats().Sessions == 0 })
	x.insists(a, "t", "by way of the old one")
	x.until(a, "by way of the old one")
}

// A node that was cut off asks a store that is cut off still, and who took its session
// over is not there any more to tell.
func TestNodeLooksAgain(t *testing.T) {
	w := newWorld(t, true)
	a, b, c := w.join("a"), w.join("b"), w.join("c")
	x := create(t, a, "")
	x.subscribe(a, "t")
	a.store.fallBehind()
	a.cut()
	x.attach++
	eventually(t, "another takes over", func() bool {
		status, _, _ := x.try(b, object{Attach: x.attach, Ack: x.ack, Wait: new(int)})
		return status == http.StatusOK
	})
	if _, o := x.socket(c); o.Error != nil {
		t.Fatalf("not moved on: %+v", o.Error)
	}
	b.die()
	a.heal()
	eventually(t, "it looks", func() bool { return a.Connected() && a.store.misled() > 0 })
	if a.manager.Stats().Sessions != 1 {
		t.Error("how does it know?")
	}
	a.store.catchUp()
	eventually(t, "it looks again", func() bool { return a.manager.Stats().Sessions == 0 })
}

// Who was taken for dead by one node only, and never missed anything, is told what went
// on there.
func TestWhoIsTakenForDeadIsTold(t *testing.T) {
	w := newWorld(t, true)
	a, b := w.join("a"), w.join("b")
	x := create(t, a, "")
	x.subscribe(a, "t")
	eventually(t, "they know each other", func() bool { return len(b.Peers()) == 1 })
	b.TakeForDead("a")
	x.attach++
	if status, _, _ := x.try(b, object{Attach: x.attach, Ack: x.ack, Wait: new(int)}); status != http.StatusOK {
		t.Fatalf("not taken over: %d", status)
	}
	eventually(t, "the old one lets go", func() bool { return a.manager.Stats().Sessions == 0 })
	x.publish(a, "t", "on and on")
	x.until(a, "on and on")
}

// A message of NATS got lost: of many requests that wait at another node one is
// answered, and the answer gets lost.
func TestWhatGetsLostIsRepeated(t *testing.T) {
	nodes.CheckInPieces(t, 1)
	each(t, func(t *testing.T, w *world) {
		a, b := w.join("a"), w.join("b")
		held := func(topic string) (x *client, status chan int) {
			x, status = create(t, a, ""), make(chan int, 1)
			x.subscribe(a, topic)
			go func() {
				s, _, _ := x.try(b, object{Attach: 100, Ack: x.ack})
				status <- s
			}()
			return x, status
		}
		var quiet []chan int
		for range 7 {
			_, status := held("quiet")
			quiet = append(quiet, status)
		}
		x, status := held("t")
		eventually(t, "they are held", func() bool { return a.Stats().Serving == int64(len(quiet)+1) })
		b.wire.deafen() // but it is not cut off for long
		x.publish(a, "t", "lost")
		eventually(t, "it is answered, as the other one sees it", func() bool { return a.Stats().Serving == int64(len(quiet)) })
		if s := <-status; s != http.StatusServiceUnavailable {
			t.Errorf("status %d", s)
		}
		x.attach = 100
		x.until(b, "lost")
		x.publish(a, "quiet", "and the others have theirs")
		for _, status := range quiet {
			if s := <-status; s != http.StatusOK {
				t.Errorf("status %d", s)
			}
		}
	})
}

// The last piece of an event stream got lost, and nothing follows that would show it.
func TestLostPiecesAreFound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.ping = time.Hour
		a, b := w.join("a"), w.join("b")
		x := create(t, a, "")
		x.subscribe(a, "t")
		e := x.stream(a, b)
		if _, ok := e.next(); !ok {
			t.Fatal("no stream")
		}
		b.wire.deafen()
		x.publish(a, "t", "lost")
		for ok := true; ok; {
			_, ok = e.next() // it ends, so that the client comes back
		}
		eventually(t, "nobody waits", func() bool { return b.Stats().Waiting == 0 && a.Stats().Serving == 0 })
		x.until(b, "lost")
	})
}

func TestStoreIsAway(t *testing.T) {
	w := newWorld(t, true)
	a := w.join("a")
	x := create(t, a, "")
	x.subscribe(a, "t")
	w.shelf.Lock()
	w.shelf.fail = errors.New("nobody there")
	w.shelf.Unlock()
	message := object{First: x.sent + 1, Messages: raw(`{"op":"publish","topic":"t","data":"there again"}`)}
	if status, o, _ := x.try(a, message); status != http.StatusServiceUnavailable {
		t.Errorf("what cannot be stored is not acknowledged: %d, %+v", status, o)
	}
	other := &client{t: t, session: "9e7b3e0c-0000-4000-8000-000000000000.b", key: "k"}
	if status, _, _ := other.try(a, object{}); status == http.StatusGone {
		t.Error("nobody knows that it is gone")
	}
	w.shelf.Lock()
	w.shelf.fail = nil
	w.shelf.Unlock()
	x.post(a, message)
	x.until(a, "there again")
}

// A session of a dead node that is stored in a format of a later version, or in one of
// its record: who cannot read it leaves it alone, and its client comes again, to a node
// that can.
func TestSessionsOfALaterVersion(t *testing.T) {
	w := newWorld(t, true)
	a, b := w.join("a"), w.join("b")
	x := create(t, a, "")
	x.subscribe(a, "t")
	a.die()
	change := func(at int, by byte) {
		w.shelf.Lock()
		defer w.shelf.Unlock()
		k := w.shelf.saved[x.session]
		k.data = slices.Clone(k.data)
		k.data[at] += by
		w.shelf.saved[x.session] = k
	}
	const record, snapshot = 0, len("\x01\x01a")
	for _, at := range []int{record, snapshot} {
		change(at, 1)
		for range 2 {
			if status, o, _ := x.try(b, object{}); status != http.StatusServiceUnavailable {
				t.Errorf("status %d, %+v", status, o)
			}
		}
		change(at, 255) // back
	}
	x.publish(b, "t", "read by who can")
	x.until(b, "read by who can")
}

func TestBounds(t *testing.T) {
	w := newWorld(t, true)
	a := w.join("a")
	x := create(t, a, "")
	b := w.joinWith("b", 2)
	for range 2 {
		y := create(t, a, "")
		go y.try(b, object{Attach: 1})
	}
	eventually(t, "two are held", func() bool { return b.Stats().Waiting == 2 })
	resp, err := http.Post(b.url+"/push", "", strings.NewReader(fmt.Sprintf(`{"session":%q,"key":%q,"attach":1}`, x.session, x.key)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the third is refused: %d %s", resp.StatusCode, text)
	}
}
