package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// receiptOf spells the message of topic "r" that has a receipt of a message in
// topic "t".
func receiptOf(n, offset int, member string, at time.Time) string {
	return fmt.Sprintf(`{"type":"message","topic":"r","offset":%d,"data":{"topic":"t","epoch":"E","offset":%d,"member":"%s","at":%d}}`, n, offset, member, at.UnixMilli())
}

func TestReceipts(t *testing.T) {
	t.Run("each client that has acknowledged gives one", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		ann, ben, cat := h.join(), h.join(), h.join()
		ann.send(`{"op":"subscribe","topic":"r"}`)
		ben.send(`{"op":"subscribe","topic":"t"}`)
		cat.send(`{"op":"subscribe","topic":"t","presence":1}`)
		ann.send(`{"op":"publish","topic":"t","data":1,"receipts":"r","id":"x"}`, `{"op":"publish","topic":"t","data":2}`)
		ann.want("nobody has acknowledged", `{"type":"published","topic":"t","offset":1}`, `{"type":"published","topic":"t","offset":2}`,
			`{"type":"subscribed","topic":"r","epoch":"E","offset":0,"recovered":true}`)
		time.Sleep(time.Minute / 2)
		began := time.Now()
		ben.want("it looks as ever", subscribed(0, true), message(1, "1"), message(2, "2"))
		ann.want("of the first", `{"type":"message","topic":"r","offset":1,"data":{"topic":"t","epoch":"E","offset":1,"id":"x","member":"M1","at":`+fmt.Sprint(began.UnixMilli())+`}}`)
		time.Sleep(time.Second)
		cat.pull()
		if members, _, _ := h.bus.Presence(t.Context(), "t"); len(members) != 1 {
			t.Errorf("members %v", members) // who gives a receipt is no more present than before
		}
		ann.want("of the second", `{"type":"message","topic":"r","offset":2,"data":{"topic":"t","epoch":"E","offset":1,"id":"x","member":"M2","at":`+fmt.Sprint(began.Add(time.Second).UnixMilli())+`}}`)
	}))
	t.Run("who gets it from history gives one, too", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		ann := h.join()
		ann.send(`{"op":"publish","topic":"t","data":1,"receipts":"r"}`)
		late := h.join()
		late.send(`{"op":"subscribe","topic":"t","history":5}`)
		late.pull()
		again := h.join()
		again.send(`{"op":"subscribe","topic":"t","since":{"epoch":"` + h.epoch() + `","offset":0}}`)
		again.pull()
		ann.send(`{"op":"subscribe","topic":"r","history":5}`)
		now := time.Now()
		ann.want("both", `{"type":"published","topic":"t","offset":1}`, `{"type":"subscribed","topic":"r","epoch":"E","offset":0,"recovered":true}`,
			receiptOf(1, 1, "M1", now), receiptOf(2, 1, "M2", now))
	}))
	t.Run("who is led back to where it is live gives them", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "t", Slow: DropOldest}}})
		slow := h.joinWith(transport.Params{MaxOutbox: 300})
		slow.send(`{"op":"subscribe","topic":"t"}`)
		for n := range 10 {
			if _, err := h.bus.Publish(t.Context(), "t", []byte{byte('0' + n)}, &PublishOptions{Receipts: "r"}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		slow.pull()
		if r, err := h.bus.History(t.Context(), "r", Query{Last: 20}); err != nil || len(r.Messages) != 10 {
			t.Errorf("%d receipts, %v", len(r.Messages), err)
		}
	}))
	t.Run("who ends without it gives none", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: "r"})
		synctest.Wait()
		p.session.Pull(t.Context(), transport.Pull{}) // written, perhaps to nobody
		p.session.Terminate(nil)
		synctest.Wait()
		if r, _ := h.bus.History(t.Context(), "r", Query{Last: 20}); len(r.Messages) != 0 {
			t.Errorf("receipts: %s", r.Messages[0].Data)
		}
		if n := h.bus.receipts.count.Load(); n != 0 {
			t.Errorf("%d are still waited for", n)
		}
	}))
	t.Run("a client needs permission for the topic of the receipts", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "secret", ServerOnly: true}, {Pattern: "quick", Rate: 1}, {Pattern: "unseen", NoPresence: true}}, Authorize: func(_ context.Context, _ *transport.Stream, op Op, topic string) error {
			if op == OpPublish && topic == "r" {
				return errors.New("no")
			}
			return nil
		}})
		runScript(t, h, `
			> {"op":"publish","topic":"t","data":1,"receipts":"r"}
			{"type":"error","code":"forbidden","message":"receipts: publish is not allowed here"}
			> {"op":"publish","topic":"t","data":1,"receipts":"secret"}
			{"type":"error","code":"forbidden","message":"receipts: clients do not publish here"}
			> {"op":"publish","topic":"unseen","data":1,"receipts":"u"}
			{"type":"error","code":"forbidden","message":"receipts: nobody is seen in this topic"}
			> {"op":"publish","topic":"t","data":1,"receipts":"quick"}
			{"type":"published","topic":"t","offset":1}
			> {"op":"publish","topic":"t","data":1,"receipts":"quick"}
			{"type":"error","code":"too-fast","message":"receipts: more than 1 messages a second"}
			> {"op":"publish","topic":"t","data":1,"receipts":"a\u0000b"}
			{"type":"error","code":"bad-request","message":"receipts: topic has a control character"}
			> {"op":"publish","topic":"t","data":1,"receipts":7}
			{"type":"error","code":"bad-request","message":"receipts is not a string"}`)
		if _, err := h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: "a\nb"}); err == nil || refusal(err).Code != BadRequest {
			t.Errorf("a server: %v", err)
		}
	}))
	t.Run("those of the server go where it wants them", bubble(func(t *testing.T) {
		var got []string
		h := newHouse(t, &Options{OnReceipts: func(_ context.Context, all []Receipt) error {
			for _, r := range all {
				b, err := json.Marshal(r)
				if err != nil {
					t.Error(err)
				}
				got = append(got, string(b))
			}
			return errors.New("nobody listens")
		}})
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: ServerReceipts})
		synctest.Wait()
		p.pull()
		want := fmt.Sprintf(`{"topic":"t","epoch":"E","offset":1,"member":"M1","at":%d}`, time.Now().UnixMilli())
		if len(got) != 1 || h.names.hide(got[0]) != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if r, _ := h.bus.History(t.Context(), ServerReceipts, Query{Last: 1}); len(r.Messages) != 0 {
			t.Error("it is a message, too")
		}
	}))
}

func TestReceiptsHaveLimits(t *testing.T) {
	count := func(t *testing.T, opts *Options, peers, messages int) int {
		h := newHouse(t, opts)
		all := make([]*peer, peers)
		for i := range all {
			all[i] = h.join()
			all[i].send(`{"op":"subscribe","topic":"t"}`)
		}
		for round := range 2 {
			for range messages {
				if _, err := h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: "r"}); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range all {
				p.pull()
				if n := strings.Count(strings.Join(p.frames, ""), `"type":"message"`); n != messages*(round+1) {
					t.Errorf("%d messages came", n)
				}
			}
		}
		r, err := h.bus.History(t.Context(), "r", Query{Last: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Messages)
	}
	t.Run("MaxReceiptsPerSession", bubble(func(t *testing.T) {
		if n := count(t, &Options{MaxReceiptsPerSession: 2}, 2, 5); n != 2*2*2 {
			t.Errorf("%d receipts", n)
		}
	}))
	t.Run("MaxReceipts", bubble(func(t *testing.T) {
		if n := count(t, &Options{MaxReceipts: 3}, 2, 5); n != 3*2 {
			t.Errorf("%d receipts", n)
		}
	}))
}

func TestReceiptsOutliveTheProcess(t *testing.T) {
	t.Run("what was not acknowledged is waited for in the next", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p, q := h.join(), h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		q.send(`{"op":"subscribe","topic":"t"}`)
		h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: "r", ID: "x"})
		synctest.Wait()
		p.pull()
		h = h.restart(nil, p, q)
		receipts := func() []string {
			synctest.Wait()
			r, err := h.bus.History(t.Context(), "r", Query{Last: 10})
			if err != nil {
				t.Fatal(err)
			}
			all := make([]string, len(r.Messages))
			for i, m := range r.Messages {
				all[i] = h.names.hide(string(m.Data))
			}
			return all
		}
		if all := receipts(); len(all) != 1 {
			t.Errorf("got %q", all)
		}
		q.pull()
		late := h.join()
		late.send(`{"op":"subscribe","topic":"t","history":1}`)
		late.pull()
		all := receipts()
		if len(all) != 3 || strings.Count(strings.Join(all, ""), `"id":"x"`) != 3 || strings.Count(strings.Join(all, ""), `"offset":1,`) != 3 {
			t.Errorf("got %q", all)
		}
	}))
	t.Run("what the application was not told yet, the next process tells it", bubble(func(t *testing.T) {
		down := make(chan struct{})
		h := newHouse(t, &Options{OnReceipts: func(context.Context, []Receipt) error { <-down; return errors.New("down") }})
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		h.bus.Publish(t.Context(), "t", []byte("1"), &PublishOptions{Receipts: ServerReceipts})
		synctest.Wait()
		at := time.Now()
		p.pull()
		time.Sleep(time.Second)
		var got []Receipt
		h.restart(&Options{OnReceipts: func(_ context.Context, all []Receipt) error { got = append(got, all...); return nil }}, p)
		close(down)
		synctest.Wait()
		if len(got) != 1 || got[0].Offset != 1 || !got[0].At.Equal(at) {
			t.Errorf("got %v", got)
		}
	}))
	t.Run("a journal has who wants them", func(t *testing.T) {
		var kept pages
		m := NewMemory(nil)
		m.Keep(&kept)
		m.Publish(t.Context(), "t", Publication{Data: []byte("1"), ID: "x", Receipts: "r"})
		m.Publish(t.Context(), "t", Publication{Data: []byte("2"), ID: "y"})
		r, _ := loaded(t, nil, kept.records).Read(t.Context(), "t", Query{Last: 2})
		if want := (ReceiptRequest{To: "r", ID: "x"}); len(r.Messages) != 2 || *r.Messages[0].Receipt != want || r.Messages[1].Receipt != nil {
			t.Errorf("got %+v", r.Messages)
		}
	})
}
