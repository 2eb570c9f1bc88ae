package bus

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTopicRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rule   TopicRule
		script string
	}{
		{"MaxMessage", TopicRule{MaxMessage: 4}, `
			> {"op":"publish","topic":"t","data":1234}
			{"type":"published","topic":"t","offset":1}
			> {"op":"publish","topic":"t","data":12345}
			{"type":"error","code":"too-big","message":"data is longer than 4 bytes"}
			> {"op":"publish","topic":"u","data":12345}
			{"type":"published","topic":"u","offset":1}`},
		{"ServerOnly", TopicRule{ServerOnly: true}, `
			> {"op":"publish","topic":"t","data":1}
			{"type":"error","code":"forbidden","message":"clients do not publish here"}
			> {"op":"publish","topic":"u","data":1}
			{"type":"published","topic":"u","offset":1}`},
		{"NoPresence", TopicRule{NoPresence: true}, `
			> {"op":"subscribe","topic":"t","presence":1}
			{"type":"error","code":"forbidden","message":"nobody is seen in this topic"}
			> {"op":"presence","topic":"t"}
			{"type":"error","code":"forbidden","message":"nobody is seen in this topic"}
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}`},
		{"Rate", TopicRule{Rate: .5, Burst: 2}, `
			> {"op":"publish","topic":"t","data":1}
			{"type":"published","topic":"t","offset":1}
			> {"op":"publish","topic":"t","data":2}
			{"type":"published","topic":"t","offset":2}
			> {"op":"publish","topic":"t","data":3,"ref":3}
			{"type":"error","ref":3,"code":"too-fast","message":"more than 0.5 messages a second"}
			> {"op":"publish","topic":"u","data":3}
			{"type":"published","topic":"u","offset":1}`},
		{"without a guard, tokens mean nothing", TopicRule{}, `
			> {"op":"refresh","token":"x","ref":1}
			{"type":"error","ref":1,"code":"forbidden","message":"tokens mean nothing here"}
			> {"op":"refresh","token":7}
			{"type":"error","code":"bad-request","message":"token is not a string"}`},
	} {
		tt.rule.Pattern = "t"
		t.Run(tt.name, bubble(func(t *testing.T) { runScript(t, newHouse(t, &Options{Topics: []TopicRule{tt.rule}}), tt.script) }))
	}
	t.Run("Rate allows more with time, and each client its own", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "*", Rate: 2}}})
		p, other := h.join(), h.join()
		count := func(p *peer) (published int) {
			for range 5 {
				p.send(`{"op":"publish","topic":"t","data":1}`)
			}
			p.pull()
			published = strings.Count(strings.Join(p.frames, "\n"), `"published"`)
			p.frames = nil
			return published
		}
		for i, want := range []int{2, 2, 1} {
			if got := count(p); got != want {
				t.Errorf("round %d: %d are published, want %d", i, got, want)
			}
			time.Sleep(time.Second - time.Duration(i)*time.Second/2)
		}
		if got := count(other); got != 2 {
			t.Errorf("another client: %d", got)
		}
		h.publish("t", "1") // the server is in no hurry to begin with
		h.publish("t", "1")
		h.publish("t", "1")
	}))
	t.Run("NoEvents tells nobody who comes", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "*", NoEvents: true}}})
		p, other := h.join(), h.join()
		p.send(`{"op":"subscribe","topic":"t","presence":1}`)
		p.pull()
		p.frames = nil
		other.send(`{"op":"subscribe","topic":"t","presence":2}`)
		p.send(`{"op":"presence","topic":"t"}`)
		p.want("only when asked", `{"type":"presence","topic":"t","members":[{"member":"M1","info":1},{"member":"M2","info":2}]}`)
	}))
}

func TestOnlyKnownTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, &Options{OnlyKnown: true, Topics: []TopicRule{{Pattern: "t"}, {Pattern: "chat/*"}}})
		runScript(t, h, `
			> {"op":"publish","topic":"chat/1","data":1}
			{"type":"published","topic":"chat/1","offset":1}
			> {"op":"publish","topic":"u","data":1}
			{"type":"error","code":"unknown-topic","message":"there is no such topic"}
			> {"op":"subscribe","topic":"chat"}
			{"type":"error","code":"unknown-topic","message":"there is no such topic"}
			> {"op":"subscribe","topic":"$all"}
			{"type":"subscribed","topic":"$all","epoch":"E","offset":0,"recovered":true}`)
		if _, err := h.bus.Publish(t.Context(), "u", []byte("1"), nil); err == nil || refusal(err).Code != UnknownTopic {
			t.Errorf("the server itself: %v", err)
		}
	})
}

// Topics may have any name; odd ones are themselves and nothing else.
func TestOddNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		p := h.join()
		for i, name := range []string{`*`, `{user}`, `../..`, ` `, `<x>`, `a\"b`, `é`, "e\u0301", `null`, `\u0041`, `__proto__`, `?`, `%00`} {
			p.send(fmt.Sprintf(`{"op":"subscribe","topic":"%s","ref":%d}`, name, i))
			p.pull()
			if got := strings.Join(p.frames, ""); !strings.Contains(got, `"subscribed"`) {
				t.Errorf("%q: %s", name, got)
			}
			p.frames = nil
		}
		for _, name := range []string{``, `a\u0000b`, `\n`, `\u0085`, strings.Repeat("é", 101)} {
			p.send(fmt.Sprintf(`{"op":"subscribe","topic":"%s"}`, name))
			p.pull()
			if got := strings.Join(p.frames, ""); !strings.Contains(got, `"bad-request"`) {
				t.Errorf("%q: %s", name, got)
			}
			p.frames = nil
		}
		// "A" and "\u0041" are one name; the two ways to write é are two.
		if n := len(h.bus.topics); n != 13 {
			t.Errorf("%d topics", n)
		}
	})
}

func TestServersPublishInManyTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		results, err := h.bus.PublishBatch(t.Context(), []Item{
			{Topic: "a", Data: []byte("1"), PublishOptions: PublishOptions{ID: "x"}}, {Topic: "", Data: []byte("1")}, {Topic: "b", Data: []byte("nonsense")},
			{Topic: "a", Data: []byte("1"), PublishOptions: PublishOptions{ID: "x"}}, {Topic: "b", Data: []byte("2")},
		})
		if err != nil || len(results) != 5 || results[0].Offset != 1 || results[1].Err == nil || results[2].Err == nil || !results[3].Duplicate || results[4].Offset != 1 {
			t.Errorf("%+v, %v", results, err)
		}
		if _, err := h.bus.PublishToUser(t.Context(), "", []byte("1"), nil); err == nil {
			t.Error("published to nobody")
		}
		if done, err := h.bus.PublishToUser(t.Context(), "ann", []byte("1"), nil); err != nil || done.Offset != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		if all, err := h.bus.Sessions(t.Context(), "ann"); len(all) != 0 || err != nil {
			t.Errorf("sessions without a guard: %v", all)
		}
	})
}
