package bus

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// narrow is a session whose outbox has room for the answer to a subscription
// and one message, or for two messages.
var narrow = transport.Params{MaxOutbox: 300}

func numbered(first, last int) (messages []string) {
	for i := first; i <= last; i++ {
		messages = append(messages, message(i, fmt.Sprint(i)))
	}
	return messages
}

func (h *house) publishUpTo(first, last int) {
	h.t.Helper()
	for i := first; i <= last; i++ {
		h.publish("t", fmt.Sprint(i))
		synctest.Wait()
	}
}

// slowHouse has one topic with this policy, and a subscriber of it that has
// read the answer to its subscription and nothing since.
func slowHouse(t *testing.T, r TopicRule) (*house, *peer) {
	r.Pattern = "t"
	h := newHouse(t, &Options{Topics: []TopicRule{r}})
	p := h.joinWith(narrow)
	p.send(`{"op":"subscribe","topic":"t"}`)
	p.want("subscribed", subscribed(0, true))
	return h, p
}

func TestSlowSubscriber(t *testing.T) {
	t.Run("its session ends, by default", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{})
		h.publishUpTo(1, 2)
		if p.session.Err() != nil {
			t.Fatal("ended while there was room")
		}
		h.publishUpTo(3, 3)
		p.wantEnd("no room", transport.Overflow)
		if _, count, _ := h.bus.Presence(context.Background(), "t"); count != 0 || len(h.bus.topics) != 0 {
			t.Error("the subscription was left behind")
		}
	}))
	t.Run("others are not held up", bubble(func(t *testing.T) {
		h, slow := slowHouse(t, TopicRule{Slow: DropOldest})
		fast := h.join()
		fast.send(`{"op":"subscribe","topic":"t"}`)
		h.publishUpTo(1, 50)
		fast.want("all, while the other is behind", append([]string{subscribed(0, true)}, numbered(1, 50)...)...)
		slow.want("all, from history", numbered(1, 50)...)
	}))
	t.Run("it loses nothing that history has", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		h.publishUpTo(1, 20)
		p.want("all, late", numbered(1, 20)...)
		h.publishUpTo(21, 22)
		p.want("live again", numbered(21, 22)...)
		h.publishUpTo(23, 42)
		p.want("behind again", numbered(23, 42)...)
	}))
	t.Run("it is told what history has not", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest, History: 3})
		h.publishUpTo(1, 20)
		p.want("two were queued and one was waiting", append(append(numbered(1, 3), dropped(17)), numbered(18, 20)...)...)
		h.publishUpTo(21, 22)
		p.want("live again", numbered(21, 22)...)
	}))
	t.Run("it is told so without any history", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest, History: -1})
		h.publishUpTo(1, 20)
		p.want("two were queued, then a loss was told twice", append(numbered(1, 2), dropped(3), dropped(20))...)
		h.publishUpTo(21, 22)
		p.want("live again", numbered(21, 22)...)
	}))
	t.Run("it is told so when history grew too old", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest, Age: time.Minute})
		h.publishUpTo(1, 20)
		time.Sleep(time.Minute)
		p.want("what was queued or waiting is not old", append(numbered(1, 3), dropped(20))...)
	}))
	t.Run("of what it missed only the newest per key follows", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: LatestPerKey})
		for i, key := range []string{"a", "b", "a", "a", "b", "", "b", "a", "", "c", "b"} {
			if _, err := h.bus.Publish(t.Context(), "t", []byte("0"), &PublishOptions{Key: key}); err != nil {
				t.Fatal(i, err)
			}
			synctest.Wait()
		}
		with := func(n int, key string) string {
			return fmt.Sprintf(`{"type":"message","topic":"t","offset":%d,"key":%q,"data":0}`, n, key)
		}
		p.want("two were queued and one was waiting", with(1, "a"), with(2, "b"), with(3, "a"),
			dropped(5), message(6, "0"), dropped(7), with(8, "a"), message(9, "0"), with(10, "c"), with(11, "b"))
		h.publishUpTo(12, 12)
		p.want("live again", numbered(12, 12)...)
	}))
	t.Run("nothing follows unsubscribed", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		h.publishUpTo(1, 20)
		p.send(`{"op":"unsubscribe","topic":"t"}`)
		p.want("what was queued", append(numbered(1, 2), `{"type":"unsubscribed","topic":"t"}`)...)
	}))
	t.Run("subscribing again goes on from there", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		h.publishUpTo(1, 20)
		p.send(fmt.Sprintf(`{"op":"subscribe","topic":"t","since":{"epoch":%q,"offset":2}}`, h.epoch()))
		p.want("no message twice", append(append(numbered(1, 2), subscribed(2, true)), numbered(3, 20)...)...)
	}))
	t.Run("its session may end meanwhile", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		h.publishUpTo(1, 20)
		p.session.Terminate(nil)
		p.wantEnd("ended", transport.Normal)
	}))
	t.Run("its stream may end meanwhile, and the session go on", bubble(func(t *testing.T) {
		h, p := slowHouse(t, TopicRule{Slow: DropOldest})
		if _, err := p.session.Open(t.Context(), "second", ""); err != nil {
			t.Fatal(err)
		}
		h.publishUpTo(1, 20)
		p.session.Push(t.Context(), 0, []transport.Frame{{End: &transport.Termination{Condition: transport.Normal}}})
		h.publishUpTo(21, 21)
		if len(h.bus.topics) != 0 {
			t.Error("the subscription was left behind")
		}
	}))
}

func TestLongReplay(t *testing.T) {
	since := `{"op":"subscribe","topic":"t","since":{"epoch":%q,"offset":0}}`
	begin := func(t *testing.T, r TopicRule) (*house, *peer) {
		r.Pattern = "t"
		h := newHouse(t, &Options{Topics: []TopicRule{r}})
		h.publishUpTo(1, 20)
		p := h.joinWith(narrow)
		p.send(fmt.Sprintf(since, h.epoch()))
		return h, p
	}
	t.Run("it is longer than the outbox", bubble(func(t *testing.T) {
		h, p := begin(t, TopicRule{History: 20})
		p.want("all", append([]string{subscribed(0, true)}, numbered(1, 20)...)...)
		h.publishUpTo(21, 21)
		p.want("live", numbered(21, 21)...)
	}))
	t.Run("what comes meanwhile follows", bubble(func(t *testing.T) {
		h, p := begin(t, TopicRule{History: 100})
		h.publishUpTo(21, 90)
		p.want("all", append([]string{subscribed(0, true)}, numbered(1, 90)...)...)
	}))
	t.Run("a client too slow for it overflows", bubble(func(t *testing.T) {
		h, p := begin(t, TopicRule{History: 20})
		h.publishUpTo(21, 40)
		p.pull()
		p.wantEnd("history went away meanwhile", transport.Overflow)
	}))
	t.Run("or is told what was dropped", bubble(func(t *testing.T) {
		h, p := begin(t, TopicRule{History: 20, Slow: DropOldest})
		h.publishUpTo(21, 40)
		want := append([]string{subscribed(0, true)}, numbered(1, 2)...)
		p.want("history went away meanwhile", append(append(want, dropped(20)), numbered(21, 40)...)...)
	}))
}
