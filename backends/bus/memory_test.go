package bus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// engineRoom is a Memory with helpers that fail the test.
type engineRoom struct {
	*Memory
	t *testing.T
}

func newEngineRoom(t *testing.T, opts *Options) engineRoom { return engineRoom{NewMemory(opts), t} }

func (m engineRoom) publish(topic, id, data string) Published {
	m.t.Helper()
	done, err := m.Publish(context.Background(), topic, Publication{Data: []byte(data), ID: id})
	if err != nil {
		m.t.Fatal(err)
	}
	return done
}

// wantKept says which offsets the topic's history has.
func (m engineRoom) wantKept(sentence, topic string, first, last uint64) {
	m.t.Helper()
	r, err := m.Read(context.Background(), topic, Query{Last: 1 << 30})
	if err != nil {
		m.t.Fatal(err)
	}
	if r.Offset != first-1 || r.Last().Offset != last {
		m.t.Errorf("%s: history is %d … %d, want %d … %d", sentence, r.Offset+1, r.Last().Offset, first, last)
	}
}

func (m engineRoom) topicCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.topics)
}

func TestPublishIDs(t *testing.T) {
	t.Run("are remembered for IDAge, from the first publish", bubble(func(t *testing.T) {
		m := newEngineRoom(t, nil)
		first := m.publish("t", "x", "1")
		time.Sleep(DefaultIDAge - 1)
		if again := m.publish("t", "x", "1"); !again.Duplicate || again.Position != first.Position {
			t.Errorf("again %+v, first %+v", again, first)
		}
		time.Sleep(time.Nanosecond)
		if later := m.publish("t", "x", "1"); later.Duplicate || later.Offset != 2 {
			t.Errorf("later %+v", later)
		}
	}))
	t.Run("are remembered though the message is not", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{Topics: []TopicRule{{Pattern: "*", History: -1}}, TopicAge: time.Second})
		first := m.publish("t", "x", "1")
		time.Sleep(2 * time.Minute)
		if m.topicCount() != 0 {
			t.Fatal("the topic is still there")
		}
		if again := m.publish("t", "x", "1"); !again.Duplicate || again.Position != first.Position {
			t.Errorf("again %+v, first %+v", again, first)
		}
	}))
	t.Run("above MaxIDs the oldest are forgotten", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{MaxIDs: 2})
		m.publish("t", "a", "1")
		m.publish("t", "b", "2")
		m.publish("u", "c", "1")
		if !m.publish("t", "b", "2").Duplicate || !m.publish("u", "c", "1").Duplicate || m.publish("t", "a", "1").Duplicate {
			t.Error("want b and c remembered, a forgotten")
		}
		if n := len(m.seen.queue); n != 2 || len(m.seen.at) != 2 {
			t.Errorf("%d ids remembered, want 2", n)
		}
	}))
}

func TestHistoryLimits(t *testing.T) {
	size := func(topic, data string) int {
		return (&entry{Message: Message{Position: Position{Offset: 1}, Data: []byte(data)}.encoded(topic)}).size()
	}
	data := `"` + strings.Repeat("x", 100) + `"`
	one := size("t", data)
	t.Run("by count", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{Topics: []TopicRule{{Pattern: "t", History: 2}}})
		for range 5 {
			m.publish("t", "", "0")
			m.publish("u", "", "0")
		}
		m.wantKept("two", "t", 4, 5)
		m.wantKept("another topic", "u", 1, 5)
	}))
	t.Run("by bytes of the topic", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{Topics: []TopicRule{{Pattern: "t", Bytes: 3 * one}}})
		for range 5 {
			m.publish("t", "", data)
		}
		m.wantKept("three fit", "t", 3, 5)
	}))
	t.Run("by bytes in all, the oldest of any topic first", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{MaxHistoryBytes: 3 * one})
		m.publish("t", "", data)
		m.publish("u", "", data)
		m.publish("t", "", data)
		m.publish("u", "", data)
		m.wantKept("the first went", "t", 2, 2)
		m.wantKept("not yet", "u", 1, 2)
		m.publish("v", "", data)
		m.wantKept("its first went", "u", 2, 2)
		if m.kept.bytes != 3*one {
			t.Errorf("%d bytes kept, want %d", m.kept.bytes, 3*one)
		}
	}))
	t.Run("a message larger than them all is handed out and not kept", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{MaxHistoryBytes: one - 1})
		m.publish("t", "", data)
		m.wantKept("nothing", "t", 2, 1)
		if m.kept != (timeline{}) {
			t.Errorf("left in the timeline: %+v", m.kept)
		}
	}))
	t.Run("the first rule that matches counts", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{Topics: []TopicRule{
			{Pattern: "a/b", History: 1}, {Pattern: "a/*", History: 2}, {Pattern: "*", History: 3},
		}})
		for topic, first := range map[string]uint64{"a/b": 4, "a/": 3, "a/bc": 3, "a": 2, "b": 2} {
			for range 4 {
				m.publish(topic, "", "0")
			}
			m.wantKept(topic, topic, first, 4)
		}
	}))
}

// nowhere is a sink that drops everything.
type nowhere struct{ _ int } // a size, so that two are not one

func (*nowhere) Deliver(Message)            {}
func (*nowhere) Joined(Member)              {}
func (*nowhere) Left(Member)                {}
func (*nowhere) Evicted(Member)             {}
func (*nowhere) Room(context.Context) error { return nil }

func TestIdleTopics(t *testing.T) {
	opts := &Options{Topics: []TopicRule{{Pattern: "*", Age: time.Minute}}, TopicAge: time.Hour}
	t.Run("are removed, and never take an old position for a new one", bubble(func(t *testing.T) {
		m := newEngineRoom(t, opts)
		at := m.publish("t", "", "1").Position
		m.publish("u", "", "1")
		newest := m.publish("u", "", "2").Position
		time.Sleep(time.Hour - 1)
		if n := m.topicCount(); n != 2 {
			t.Fatalf("%d topics before TopicAge, want 2", n)
		}
		time.Sleep(sweepInterval + 1)
		if n := m.topicCount(); n != 0 {
			t.Fatalf("%d topics after TopicAge, want none", n)
		}
		if r, _ := m.Read(t.Context(), "t", Query{Since: &at}); r.Recovered {
			t.Error("recovered, though nobody can tell")
		}
		if r, _ := m.Read(t.Context(), "u", Query{Since: &newest}); !r.Recovered {
			t.Error("not recovered, though nothing was missed")
		}
		if next := m.publish("t", "", "2"); next.Offset <= newest.Offset {
			t.Errorf("offset %d was there before", next.Offset)
		}
		time.Sleep(2 * time.Hour)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.armed {
			t.Error("the timer runs on without topics")
		}
	}))
	t.Run("stay while somebody is subscribed or present", bubble(func(t *testing.T) {
		m := newEngineRoom(t, opts)
		_, cancel, err := m.Subscribe(t.Context(), "sub", new(nowhere))
		if err != nil {
			t.Fatal(err)
		}
		m.Join(t.Context(), "there", Member{ID: "m", Info: []byte("1")})
		time.Sleep(24 * time.Hour)
		if n := m.topicCount(); n != 2 {
			t.Fatalf("%d topics, want 2", n)
		}
		cancel()
		m.Leave(t.Context(), "there", "m")
		time.Sleep(time.Hour + sweepInterval)
		if n := m.topicCount(); n != 0 {
			t.Fatalf("%d topics, want none", n)
		}
	}))
	t.Run("make room for others at once", bubble(func(t *testing.T) {
		m := newEngineRoom(t, &Options{MaxTopics: 2, Topics: opts.Topics})
		_, cancel, _ := m.Subscribe(t.Context(), "a", new(nowhere))
		m.publish("b", "", "0")
		refused := func() bool {
			_, err := m.Publish(t.Context(), "c", Publication{Data: []byte("0")})
			return err != nil && refusal(err).Code == TooManyTopics
		}
		if !refused() {
			t.Error("a third topic beside two in use")
		}
		cancel()
		time.Sleep(time.Second)
		if refused() {
			t.Error("no room, though a is idle")
		}
		if !refuses(m, "d") {
			t.Error("a third topic beside two in use")
		}
	}))
}

func refuses(m engineRoom, topic string) bool {
	_, _, err := m.Subscribe(context.Background(), topic, new(nowhere))
	return err != nil && refusal(err).Code == TooManyTopics && m.Join(context.Background(), topic, Member{ID: "m"}) != nil
}

func TestMembersStayInOrder(t *testing.T) {
	var r roster
	for i := range 5 {
		r.put(Member{ID: fmt.Sprint(i)})
	}
	r.put(Member{ID: "2", Info: []byte("new")})
	for _, id := range []string{"1", "4", "1"} {
		r.remove(id)
	}
	got := ""
	for i, m := range r.members {
		got += m.ID + string(m.Info) + " "
		if r.index[m.ID] != i {
			t.Errorf("index of %s is %d, want %d", m.ID, r.index[m.ID], i)
		}
	}
	if got != "0 2new 3 " && got != "0 3 2new " {
		t.Errorf("members: %s", got)
	}
}
