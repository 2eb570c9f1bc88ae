package bus

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A script is what one client says and hears: lines that begin with > are
// sent, the others are what the server answers.
func runScript(t *testing.T, h *house, script string) {
	t.Helper()
	p := h.join()
	var want []string
	check := func() { t.Helper(); p.want("after the last message sent", want...); want = nil }
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if sent, ok := strings.CutPrefix(line, "> "); ok {
			check()
			p.send(strings.ReplaceAll(sent, "EPOCH", h.epoch()))
		} else if line != "" {
			want = append(want, line)
		}
	}
	check()
}

func TestMessages(t *testing.T) {
	for name, script := range map[string]string{
		"a publisher that is subscribed gets its own message": `
			> {"op":"subscribe","topic":"t","ref":1}
			{"type":"subscribed","ref":1,"topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"publish","topic":"t","data":{"a":[1,2]},"ref":"two"}
			{"type":"published","ref":"two","topic":"t","offset":1}
			{"type":"message","topic":"t","offset":1,"data":{"a":[1,2]}}`,
		"any JSON value is data, and goes out on one line": `
			> {"op":"publish","topic":"t","data":null}
			{"type":"published","topic":"t","offset":1}
			> {"op":"publish","topic":"t","data":0}
			{"type":"published","topic":"t","offset":2}
			> {"op":"subscribe","topic":"t","history":9}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			{"type":"message","topic":"t","offset":1,"data":null}
			{"type":"message","topic":"t","offset":2,"data":0}`,
		"a key goes with the message": `
			> {"op":"publish","topic":"t","key":"k\"1","data":1}
			{"type":"published","topic":"t","offset":1}
			> {"op":"subscribe","topic":"t","history":1}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			{"type":"message","topic":"t","offset":1,"key":"k\"1","data":1}`,
		"a repeated id is published once and answered the same": `
			> {"op":"publish","topic":"t","id":"x","data":1,"ref":1}
			{"type":"published","ref":1,"topic":"t","offset":1}
			> {"op":"publish","topic":"t","id":"x","data":1,"ref":2}
			{"type":"published","ref":2,"topic":"t","offset":1,"duplicate":true}
			> {"op":"publish","topic":"other","id":"x","data":1,"ref":3}
			{"type":"published","ref":3,"topic":"other","offset":1}`,
		"nothing follows unsubscribed": `
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"unsubscribe","topic":"t","ref":7}
			{"type":"unsubscribed","ref":7,"topic":"t"}
			> {"op":"publish","topic":"t","data":1}
			{"type":"published","topic":"t","offset":1}
			> {"op":"unsubscribe","topic":"t","ref":8}
			{"type":"error","ref":8,"code":"not-subscribed","message":"not subscribed to this topic"}`,
		"subscribing again replaces the subscription": `
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"publish","topic":"t","data":1}
			{"type":"published","topic":"t","offset":1}
			{"type":"message","topic":"t","offset":1,"data":1}`,
	} {
		t.Run(name, bubble(func(t *testing.T) { runScript(t, newHouse(t, nil), script) }))
	}
}

func TestRecovery(t *testing.T) {
	rules := &Options{Topics: []TopicRule{{Pattern: "t", History: 3, Age: time.Minute}, {Pattern: "none", History: -1}}}
	const since = `> {"op":"subscribe","topic":"t","since":{"epoch":"%s","offset":%d}}` + "\n"
	for _, tt := range []struct {
		name   string
		before int // messages published, 1 … before
		sent   string
		want   []string
	}{
		{"all that was missed follows", 4, fmt.Sprintf(since, "EPOCH", 2), []string{subscribed(2, true), message(3, "3"), message(4, "4")}},
		{"the whole history is a recovery", 4, fmt.Sprintf(since, "EPOCH", 1), []string{subscribed(1, true), message(2, "2"), message(3, "3"), message(4, "4")}},
		{"nothing was missed", 4, fmt.Sprintf(since, "EPOCH", 4), []string{subscribed(4, true)}},
		{"nothing was ever published", 0, fmt.Sprintf(since, "EPOCH", 0), []string{subscribed(0, true)}},
		{"a position older than history", 4, fmt.Sprintf(since, "EPOCH", 0), []string{subscribed(1, false), message(2, "2"), message(3, "3"), message(4, "4")}},
		{"a position from the future", 2, fmt.Sprintf(since, "EPOCH", 3), []string{subscribed(0, false), message(1, "1"), message(2, "2")}},
		{"a position of another epoch", 2, fmt.Sprintf(since, "else", 1), []string{subscribed(0, false), message(1, "1"), message(2, "2")}},
		{"the last COUNT", 4, `> {"op":"subscribe","topic":"t","history":2}`, []string{subscribed(2, true), message(3, "3"), message(4, "4")}},
		{"the last none", 4, `> {"op":"subscribe","topic":"t","history":0}`, []string{subscribed(4, true)}},
		{"more than history has", 4, `> {"op":"subscribe","topic":"t","history":1000000}`, []string{subscribed(1, true), message(2, "2"), message(3, "3"), message(4, "4")}},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			h := newHouse(t, rules)
			for i := range tt.before {
				h.publish("t", fmt.Sprint(i+1))
			}
			next := message(tt.before+1, `"live"`)
			runScript(t, h, tt.sent+"\n"+strings.Join(tt.want, "\n")+`
				> {"op":"publish","topic":"t","data":"live"}
				`+fmt.Sprintf(`{"type":"published","topic":"t","offset":%d}`, tt.before+1)+"\n"+next)
		}))
	}
	t.Run("history that is too old is gone, to the nanosecond", bubble(func(t *testing.T) {
		h := newHouse(t, rules)
		h.publish("t", "1")
		time.Sleep(time.Minute - 1)
		runScript(t, h, `> {"op":"subscribe","topic":"t","history":1}
			`+subscribed(0, true)+"\n"+message(1, "1"))
		time.Sleep(time.Nanosecond)
		runScript(t, h, `> {"op":"subscribe","topic":"t","since":{"epoch":"EPOCH","offset":0}}
			`+subscribed(1, false))
	}))
	t.Run("without history only the last position is recovered", bubble(func(t *testing.T) {
		h := newHouse(t, rules)
		h.publish("none", "1")
		runScript(t, h, `
			> {"op":"subscribe","topic":"none","since":{"epoch":"EPOCH","offset":1}}
			{"type":"subscribed","topic":"none","epoch":"E","offset":1,"recovered":true}
			> {"op":"subscribe","topic":"none","since":{"epoch":"EPOCH","offset":0}}
			{"type":"subscribed","topic":"none","epoch":"E","offset":1,"recovered":false}
			> {"op":"publish","topic":"none","data":2}
			{"type":"published","topic":"none","offset":2}
			{"type":"message","topic":"none","offset":2,"data":2}`)
	}))
}

func TestQueriesInGo(t *testing.T) {
	t.Run("history and members", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		h.join().send(`{"op":"subscribe","topic":"t","presence":{"nick":"a"}}`)
		first := h.publish("t", "1")
		data := []byte("[2,\n 3]")
		second, err := h.bus.Publish(t.Context(), "t", data, &PublishOptions{ID: "x", Key: "k"})
		if err != nil || second.Offset != first.Offset+1 {
			t.Fatal(second, err)
		}
		clear(data) // it was not kept
		r, err := h.bus.History(t.Context(), "t", Query{Since: &first.Position})
		if err != nil || !r.Recovered || len(r.Messages) != 1 || r.Last() != second.Position {
			t.Fatalf("%+v, %v", r, err)
		}
		if m := r.Messages[0]; m.Key != "k" || string(m.Data) != "[2,3]" {
			t.Errorf("message %s, key %q", m.Data, m.Key)
		}
		members, count, err := h.bus.Presence(t.Context(), "t")
		if err != nil || count != 1 || string(members[0].Info) != `{"nick":"a"}` {
			t.Errorf("%+v, %d, %v", members, count, err)
		}
		if r, err := h.bus.History(t.Context(), "nobody", Query{Last: 5}); err != nil || len(r.Messages) != 0 || len(h.bus.engine.(*Memory).topics) != 1 {
			t.Errorf("asking made a topic: %+v, %v", r, err)
		}
	}))
}
