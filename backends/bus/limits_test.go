package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func TestLimits(t *testing.T) {
	string10 := `"` + strings.Repeat("x", 8) + `"`
	for _, tt := range []struct {
		name   string
		opts   Options
		script string
	}{
		{"MaxMessage", Options{MaxMessage: 10}, `
			> {"op":"publish","topic":"t","data":` + string10 + `}
			{"type":"published","topic":"t","offset":1}
			> {"op":"publish","topic":"t","data":"x` + string10[1:] + `,"ref":1}
			{"type":"error","ref":1,"code":"too-big","message":"data is longer than 10 bytes"}`},
		{"MaxInfo", Options{MaxInfo: 10}, `
			> {"op":"subscribe","topic":"t","presence":` + string10 + `}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true,"member":"M1","members":[{"member":"M1","info":` + string10 + `}]}
			> {"op":"subscribe","topic":"t","presence":"x` + string10[1:] + `}
			{"type":"error","code":"too-big","message":"presence is longer than 10 bytes"}`},
		{"MaxTopicName", Options{MaxTopicName: 4}, `
			> {"op":"publish","topic":"éé","data":1}
			{"type":"published","topic":"éé","offset":1}
			> {"op":"publish","topic":"ééx","data":1}
			{"type":"error","code":"bad-request","message":"topic is longer than 4 bytes"}`},
		{"MaxTopicsPerSession", Options{MaxTopicsPerSession: 1}, `
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"subscribe","topic":"u","ref":1}
			{"type":"error","ref":1,"code":"too-many-topics","message":"more than 1 topics in the session"}
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"unsubscribe","topic":"t"}
			{"type":"unsubscribed","topic":"t"}
			> {"op":"subscribe","topic":"u"}
			{"type":"subscribed","topic":"u","epoch":"E","offset":0,"recovered":true}`},
		{"MaxTopics", Options{MaxTopics: 1}, `
			> {"op":"subscribe","topic":"t"}
			{"type":"subscribed","topic":"t","epoch":"E","offset":0,"recovered":true}
			> {"op":"subscribe","topic":"u"}
			{"type":"error","code":"too-many-topics","message":"the server has too many topics"}
			> {"op":"publish","topic":"u","data":1}
			{"type":"error","code":"too-many-topics","message":"the server has too many topics"}`},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) { runScript(t, newHouse(t, &tt.opts), tt.script) }))
	}
	t.Run("MaxMembers", bubble(func(t *testing.T) {
		h := newHouse(t, &Options{MaxMembers: 2})
		for range 3 {
			h.join().send(`{"op":"subscribe","topic":"t","presence":1}`)
		}
		p := h.join()
		p.send(`{"op":"presence","topic":"t"}`)
		p.want("two of three", `{"type":"presence","topic":"t","members":[{"member":"M1","info":1},{"member":"M2","info":1}],"count":3}`)
	}))
	t.Run("MaxPending", bubble(testMaxPending))
}

// testMaxPending has the fan-out of a topic stand still in the function of a
// carrier.
func testMaxPending(t *testing.T) {
	h := newHouse(t, &Options{MaxPending: 2})
	p := h.join()
	p.send(`{"op":"subscribe","topic":"t"}`)
	p.pull()
	proceed := make(chan struct{})
	if _, err := p.session.PullFunc(transport.Pull{After: p.after, Wait: time.Minute}, func(transport.Response) { <-proceed }); err != nil {
		t.Fatal(err)
	}
	go h.bus.Publish(t.Context(), "t", []byte("1"), nil) // who publishes to few tells them himself
	synctest.Wait()
	h.publishUpTo(2, 2)
	if _, err := h.bus.Publish(t.Context(), "t", []byte("0"), &PublishOptions{NoWait: true}); err == nil || refusal(err).Code != Busy {
		t.Errorf("a third, without waiting: %v, want Busy", err)
	}
	h.publish("u", "1") // other topics are not concerned
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := h.bus.Publish(ctx, "t", []byte("0"), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third, waiting for a second: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := h.bus.Publish(t.Context(), "t", []byte("3"), nil)
		done <- err
	}()
	synctest.Wait()
	close(proceed)
	if err := <-done; err != nil {
		t.Errorf("a third, waiting for room: %v", err)
	}
	p.frames = nil
	p.want("all three", numbered(1, 3)...)
}

func TestAuthorize(t *testing.T) {
	type principal struct{}
	opts := &Options{Authorize: func(ctx context.Context, st *transport.Stream, op Op, topic string) error {
		if st == nil || ctx.Value(principal{}) != "me" {
			return fmt.Errorf("stream %v, principal %v", st, ctx.Value(principal{}))
		}
		if op == "subscribe" && topic == "private" {
			return &Error{Code: Internal, Text: "not yours"}
		}
		if op != "subscribe" {
			return errors.New("secret reason")
		}
		return nil
	}}
	t.Run("refused operations change nothing", bubble(func(t *testing.T) {
		h := newHouse(t, opts)
		s, err := h.manager.Create(t.Context(), transport.Params{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(context.WithValue(t.Context(), principal{}, "me"), "", ""); err != nil {
			t.Fatal(err)
		}
		p := &peer{house: h, session: s}
		p.send(`{"op":"subscribe","topic":"t"}`,
			`{"op":"subscribe","topic":"t","presence":1,"ref":1}`,
			`{"op":"subscribe","topic":"private","ref":2}`,
			`{"op":"publish","topic":"t","data":1,"ref":3}`,
			`{"op":"presence","topic":"t","ref":4}`)
		p.want("forbidden", subscribed(0, true),
			`{"type":"error","ref":1,"code":"forbidden","message":"presence is not allowed here"}`,
			`{"type":"error","ref":2,"code":"forbidden","message":"not yours"}`,
			`{"type":"error","ref":3,"code":"forbidden","message":"publish is not allowed here"}`,
			`{"type":"error","ref":4,"code":"forbidden","message":"presence is not allowed here"}`)
		h.publish("t", "1") // a Go program needs no leave
		p.want("the subscription stands", message(1, "1"))
	}))
}

func TestPublishChecksItsArguments(t *testing.T) {
	b := New(nil)
	for _, tt := range []struct {
		name, topic, data string
		opts              *PublishOptions
		want              Code
	}{
		{"no JSON", "t", "{", nil, BadRequest},
		{"nothing", "t", "", nil, BadRequest},
		{"no UTF-8", "t", "\"\xff\"", nil, BadRequest},
		{"no topic", "", "1", nil, BadRequest},
		{"a topic that is no UTF-8", "\xff", "1", nil, BadRequest},
		{"a topic of two lines", "a\nb", "1", nil, BadRequest},
		{"a long id", "t", "1", &PublishOptions{ID: strings.Repeat("i", MaxLabel+1)}, BadRequest},
		{"a long key", "t", "1", &PublishOptions{Key: strings.Repeat("k", MaxLabel+1)}, BadRequest},
		{"much data", "t", `"` + strings.Repeat("x", DefaultMaxMessage) + `"`, nil, TooBig},
	} {
		if _, err := b.Publish(t.Context(), tt.topic, []byte(tt.data), tt.opts); err == nil || refusal(err).Code != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := b.History(t.Context(), "", Query{}); err == nil {
		t.Error("history of no topic")
	}
	if _, _, err := b.Presence(t.Context(), ""); err == nil {
		t.Error("members of no topic")
	}
}

// brokenEngine fails where it is told to.
type brokenEngine struct {
	*Memory
	read, subscribe error
}

func (e *brokenEngine) Read(ctx context.Context, topic string, q Query) (Replay, error) {
	if e.read != nil {
		return Replay{}, e.read
	}
	return e.Memory.Read(ctx, topic, q)
}

func (e *brokenEngine) Subscribe(ctx context.Context, topic string, s Sink) (Position, func(), error) {
	if e.subscribe != nil {
		return Position{}, nil, e.subscribe
	}
	return e.Memory.Subscribe(ctx, topic, s)
}

func TestEngineFailures(t *testing.T) {
	failed := `{"type":"error","code":"internal","message":"the server failed"}`
	t.Run("are answered, and the session lives", bubble(func(t *testing.T) {
		e := &brokenEngine{Memory: NewMemory(nil), subscribe: errors.New("secret")}
		h := newHouse(t, &Options{Engine: e})
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		p.want("failed", failed)
		e.subscribe, e.read = nil, errors.New("secret")
		p.send(`{"op":"subscribe","topic":"t","history":1}`)
		p.want("failed", failed)
		if len(h.bus.topics) != 0 {
			t.Error("a topic was left behind")
		}
		p.send(`{"op":"subscribe","topic":"t"}`)
		p.want("works", subscribed(0, true))
	}))
	t.Run("end a session that is behind, for its client is to know", bubble(func(t *testing.T) {
		e := &brokenEngine{Memory: NewMemory(nil)}
		h := newHouse(t, &Options{Engine: e, Topics: []TopicRule{{Pattern: "*", Slow: DropOldest}}})
		p := h.joinWith(narrow)
		p.send(`{"op":"subscribe","topic":"t"}`)
		h.publishUpTo(1, 1)
		e.read = errors.New("secret")
		h.publishUpTo(2, 5)
		p.wantEnd("no history", transport.BackendError)
	}))
	t.Run("a gap is told to all", bubble(func(t *testing.T) {
		h := newHouse(t, nil)
		p := h.join()
		p.send(`{"op":"subscribe","topic":"t"}`)
		sink := h.bus.topics["t"]
		at := func(offset uint64) Message {
			return Message{Position: Position{h.epoch(), offset}, Data: []byte(fmt.Sprint(offset))}
		}
		for _, offset := range []uint64{1, 2, 2, 1, 5, 6} {
			sink.Deliver(at(offset))
		}
		other := at(1)
		other.Epoch = "other"
		sink.Deliver(other)
		p.want("none twice", append([]string{subscribed(0, true)}, append(numbered(1, 2), dropped(4),
			message(5, "5"), message(6, "6"), `{"type":"dropped","topic":"t","epoch":"other","offset":0}`, message(1, "1"))...)...)
	}))
}

// slowEngine waits before it reads.
type slowEngine struct {
	*Memory
	proceed chan struct{}
}

func (e *slowEngine) Read(ctx context.Context, topic string, q Query) (Replay, error) {
	r, err := e.Memory.Read(ctx, topic, q)
	<-e.proceed
	return r, err
}

func TestMuchComesWhileHistoryIsRead(t *testing.T) {
	for _, more := range []int{maxHeld, maxHeld + 1, 3 * maxHeld} {
		t.Run(fmt.Sprint(more, " messages"), bubble(func(t *testing.T) {
			e := &slowEngine{NewMemory(&Options{Topics: []TopicRule{{Pattern: "*", History: 1000}}}), make(chan struct{})}
			h := newHouse(t, &Options{Engine: e})
			p := h.join()
			h.publishUpTo(1, 2)
			p.send(fmt.Sprintf(`{"op":"subscribe","topic":"t","since":{"epoch":%q,"offset":1}}`, e.epoch))
			h.publishUpTo(3, 2+more)
			close(e.proceed)
			p.want("all of them", append([]string{subscribed(1, true)}, numbered(2, 2+more)...)...)
			h.publishUpTo(3+more, 3+more)
			p.want("and what follows", numbered(3+more, 3+more)...)
		}))
	}
}
