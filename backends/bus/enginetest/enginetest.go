// Package enginetest has the tests that every bus.Engine passes.
package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// Options are what the engines under test are made with.
func Options() *bus.Options {
	return &bus.Options{Topics: []bus.TopicRule{
		{Pattern: "few/*", History: 3},
		{Pattern: "none/*", History: -1},
		{Pattern: "brief/*", Age: 200 * time.Millisecond},
		{Pattern: "small/*", Bytes: 1000},
	}}
}

// Run runs the tests. Pair returns two engines that share all topics, as two
// processes have them, or the same one twice; made with [Options].
func Run(t *testing.T, pair func(t *testing.T) (a, b bus.Engine)) {
	a, b := pair(t)
	for name, test := range map[string]func(*suite){
		"messages come in order, each once, everywhere":      (*suite).order,
		"many publish at once":                               (*suite).crowd,
		"an id is published once":                            (*suite).ids,
		"a command is carried out once":                      (*suite).commands,
		"what a command's successors published is found":     (*suite).rewind,
		"history has what was delivered, after a position":   (*suite).since,
		"history has the last messages":                      (*suite).latest,
		"history keeps what the topic's rule says":           (*suite).rules,
		"a position of another epoch is of no use":           (*suite).epochs,
		"a subscription begins where the topic is":           (*suite).begins,
		"nothing comes after a subscription is cancelled":    (*suite).cancel,
		"who has no room is served later, and others now":    (*suite).room,
		"members are seen everywhere":                        (*suite).presence,
		"a member that changes is told, one that is not not": (*suite).again,
		"many members":                              (*suite).manyMembers,
		"topics have any name":                      (*suite).names,
		"what a message says is what was published": (*suite).messages,
	} {
		t.Run(name, func(t *testing.T) {
			test(&suite{T: t, a: a, b: b, prefix: strings.ReplaceAll(t.Name(), "/", ".")})
		})
	}
}

type suite struct {
	*testing.T
	a, b   bus.Engine
	prefix string
}

// topic returns a name that no other test has.
func (s *suite) topic(kind string) string { return kind + s.prefix }

func (s *suite) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	s.Cleanup(cancel)
	return ctx
}

func (s *suite) publish(e bus.Engine, topic string, p bus.Publication) bus.Published {
	s.Helper()
	if p.Data == nil {
		p.Data = json.RawMessage(`1`)
	}
	done, err := e.Publish(s.ctx(), topic, p)
	if err != nil {
		s.Fatal(err)
	}
	return done
}

func (s *suite) read(e bus.Engine, topic string, q bus.Query) bus.Replay {
	s.Helper()
	r, err := e.Read(s.ctx(), topic, q)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

func (s *suite) subscribe(e bus.Engine, topic string) *sink {
	s.Helper()
	k := &sink{changed: make(chan struct{}, 1)}
	at, cancel, err := e.Subscribe(s.ctx(), topic, k)
	if err != nil {
		s.Fatal(err)
	}
	k.at, k.cancel = at, cancel
	s.Cleanup(cancel)
	return k
}

// A sink notes what it is handed.
type sink struct {
	at      bus.Position
	cancel  func()
	changed chan struct{}

	mu       sync.Mutex
	messages []bus.Message
	events   []string
	full     chan struct{} // set: there is room when it is closed
}

func (k *sink) note(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

func (k *sink) Deliver(m bus.Message) { k.note(func() { k.messages = append(k.messages, m) }) }
func (k *sink) Joined(m bus.Member) {
	k.note(func() { k.events = append(k.events, "+"+m.ID+string(m.Info)) })
}
func (k *sink) Evicted(m bus.Member) { k.note(func() { k.events = append(k.events, "!"+m.ID) }) }

func (k *sink) Left(m bus.Member) { k.note(func() { k.events = append(k.events, "-"+m.ID) }) }

func (k *sink) Room(ctx context.Context) error {
	k.mu.Lock()
	full := k.full
	k.mu.Unlock()
	if full == nil {
		return nil
	}
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits until something is so of what came.
func (s *suite) until(k *sink, what string, so func() bool) {
	s.Helper()
	deadline := time.After(20 * time.Second)
	for {
		k.mu.Lock()
		done := so()
		k.mu.Unlock()
		if done {
			return
		}
		select {
		case <-k.changed:
		case <-deadline:
			k.mu.Lock()
			defer k.mu.Unlock()
			s.Fatalf("%s: got %d messages, %q", what, len(k.messages), k.events)
		}
	}
}

// follow wants so many messages, in order and without gaps after the position.
func (s *suite) follow(k *sink, n int) []bus.Message {
	s.Helper()
	s.until(k, fmt.Sprint("not all of ", n), func() bool { return len(k.messages) >= n })
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, m := range k.messages {
		if m.Epoch != k.at.Epoch || m.Offset != k.at.Offset+uint64(i)+1 {
			s.Fatalf("message %d is at %v, the subscription at %v", i, m.Position, k.at)
		}
	}
	return slices.Clone(k.messages)
}

func (s *suite) order() {
	topic := s.topic("")
	x, y := s.subscribe(s.a, topic), s.subscribe(s.b, topic)
	for i := range 50 {
		e := s.a
		if i%3 == 0 {
			e = s.b
		}
		done := s.publish(e, topic, bus.Publication{Data: fmt.Append(nil, i)})
		if done.Offset != x.at.Offset+uint64(i)+1 || done.Epoch != x.at.Epoch {
			s.Fatalf("message %d is at %v", i, done)
		}
	}
	for _, k := range []*sink{x, y} {
		for i, m := range s.follow(k, 50) {
			if string(m.Data) != fmt.Sprint(i) {
				s.Fatalf("message %d is %s", i, m.Data)
			}
		}
	}
}

func (s *suite) crowd() {
	topic := s.topic("")
	x, y := s.subscribe(s.a, topic), s.subscribe(s.b, topic)
	const each = 100
	var all sync.WaitGroup
	for p := range 8 {
		all.Go(func() {
			e := s.a
			if p%2 == 0 {
				e = s.b
			}
			last := uint64(0)
			for i := range each {
				done, err := e.Publish(s.ctx(), topic, bus.Publication{Data: fmt.Appendf(nil, `"%d %d"`, p, i)})
				if err != nil || done.Offset <= last {
					s.Errorf("%v after %d: %v", done, last, err)
					return
				}
				last = done.Offset
			}
		})
	}
	all.Wait()
	got, other := s.follow(x, 8*each), s.follow(y, 8*each)
	seen := map[string]int{}
	for i, m := range got {
		if string(m.Data) != string(other[i].Data) {
			s.Fatalf("message %d is %s here and %s there", i, m.Data, other[i].Data)
		}
		var p, n int
		fmt.Sscanf(string(m.Data), `"%d %d"`, &p, &n)
		if key := fmt.Sprint(p); seen[key] != n {
			s.Fatalf("message %d of publisher %d comes after %d others", n, p, seen[key])
		} else {
			seen[key]++
		}
	}
}

func (s *suite) ids() {
	topic := s.topic("none/")
	first := s.publish(s.a, topic, bus.Publication{ID: "x"})
	if again := s.publish(s.a, topic, bus.Publication{ID: "x"}); !again.Duplicate || again.Position != first.Position || first.Duplicate {
		s.Errorf("again %+v, first %+v", again, first)
	}
	if there := s.publish(s.b, topic, bus.Publication{ID: "x"}); !there.Duplicate || there.Position != first.Position {
		s.Errorf("there %+v, first %+v", there, first)
	}
	if other := s.publish(s.b, topic+"2", bus.Publication{ID: "x"}); other.Duplicate {
		s.Error("the id was of another topic")
	}
	if next := s.publish(s.b, topic, bus.Publication{}); next.Offset != first.Offset+1 {
		s.Errorf("next %+v", next)
	}
}

func (s *suite) commands() {
	topic := s.topic("none/")
	p := bus.Publication{Origin: bus.Origin{Session: s.prefix, Stream: "s", Number: 7}}
	first := s.publish(s.a, topic, p)
	if there := s.publish(s.b, topic, p); there != first {
		s.Errorf("there %+v, first %+v", there, first)
	}
	p.Origin.Number++
	if next := s.publish(s.b, topic, p); next.Offset != first.Offset+1 {
		s.Errorf("next %+v", next)
	}
	p.ID = "an id"
	p.Origin.Number++
	first = s.publish(s.b, topic, p)
	if again := s.publish(s.a, topic, p); again != first {
		s.Errorf("again %+v, first %+v: the command itself is no duplicate", again, first)
	}
	p.Origin.Number++
	if other := s.publish(s.a, topic, p); !other.Duplicate || other.Position != first.Position {
		s.Errorf("another command with the same id: %+v", other)
	}
}

func (s *suite) rewind() {
	topic := s.topic("")
	command := func(stream string, number uint64) bus.Origin {
		return bus.Origin{Session: s.prefix, Stream: stream, Number: number}
	}
	s.publish(s.a, topic, bus.Publication{Origin: command("s", 9)}) // a number that is longer than others is no smaller
	before := s.publish(s.a, topic, bus.Publication{Origin: command("s", 10)})
	s.publish(s.a, topic, bus.Publication{Origin: command("s2", 11)})
	s.publish(s.a, topic, bus.Publication{})
	s.publish(s.a, s.topic("other"), bus.Publication{Origin: command("s", 11)})
	for number, want := range map[uint64]uint64{8: before.Offset - 2, 9: before.Offset - 1, 10: 0, 12: 0} {
		at, ok, err := s.b.(bus.Rewinder).Rewind(s.ctx(), topic, command("s", number))
		if err != nil || ok != (want > 0 || number == 8) || at.Offset != want || ok && at.Epoch != before.Epoch {
			s.Errorf("command %d: got %+v, %v, %v, want the offset %d", number, at, ok, err, want)
		}
	}
}

func (s *suite) since() {
	topic := s.topic("")
	var at []bus.Position
	for range 10 {
		at = append(at, s.publish(s.a, topic, bus.Publication{}).Position)
	}
	for _, e := range []bus.Engine{s.a, s.b} {
		r := s.read(e, topic, bus.Query{Since: &at[3]})
		if !r.Recovered || r.Position != at[3] || len(r.Messages) != 6 || r.Last() != at[9] {
			s.Errorf("after the fourth: %+v", r)
		}
		r = s.read(e, topic, bus.Query{Since: &at[9]})
		if !r.Recovered || r.Position != at[9] || len(r.Messages) != 0 {
			s.Errorf("after the last: %+v", r)
		}
		before := bus.Position{Epoch: at[0].Epoch, Offset: at[0].Offset - 1}
		if r = s.read(e, topic, bus.Query{Since: &before}); !r.Recovered || len(r.Messages) != 10 {
			s.Errorf("before the first: %+v", r)
		}
		ahead := bus.Position{Epoch: at[9].Epoch, Offset: at[9].Offset + 5}
		if r = s.read(e, topic, bus.Query{Since: &ahead}); r.Recovered {
			s.Error("a position that is still to come is none")
		}
	}
}

func (s *suite) latest() {
	topic := s.topic("")
	var last bus.Position
	for range 5 {
		last = s.publish(s.a, topic, bus.Publication{}).Position
	}
	for _, n := range []int{0, 1, 3, 5, 9} {
		r := s.read(s.b, topic, bus.Query{Last: n})
		if want := min(n, 5); len(r.Messages) != want || !r.Recovered || r.Last() != last || r.Offset != last.Offset-uint64(want) {
			s.Errorf("last %d: %+v", n, r)
		}
	}
}

func (s *suite) rules() {
	const some = -1
	for kind, want := range map[string]int{"few/": 3, "none/": 0, "small/": some, "": 20} {
		topic := s.topic(kind)
		var at []bus.Position
		for range 20 {
			at = append(at, s.publish(s.a, topic, bus.Publication{Data: json.RawMessage(`"` + strings.Repeat("x", 50) + `"`)}).Position)
		}
		for _, e := range []bus.Engine{s.a, s.b} {
			r := s.read(e, topic, bus.Query{Last: 1000})
			n := len(r.Messages)
			if want == some && 0 < n && n < 6 {
				want = n // what a message takes is the engine's business
			}
			if n != want || r.Last() != at[19] {
				s.Errorf("%s: %d messages, want %d", topic, n, want)
			}
			if want < 20 {
				if r := s.read(e, topic, bus.Query{Since: &at[0]}); r.Recovered || len(r.Messages) != want || r.Last() != at[19] {
					s.Errorf("%s: what is not kept any more is lost: %d messages, recovered: %v", topic, len(r.Messages), r.Recovered)
				}
			}
		}
	}
	topic := s.topic("brief/")
	at := s.publish(s.a, topic, bus.Publication{}).Position
	before := bus.Position{Epoch: at.Epoch, Offset: at.Offset - 1}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		r := s.read(s.b, topic, bus.Query{Since: &before})
		if !r.Recovered && len(r.Messages) == 0 && r.Last() == at {
			break
		}
		if time.Since(began) > 10*time.Second {
			s.Fatalf("it is still there: %+v", r)
		}
	}
}

func (s *suite) epochs() {
	topic := s.topic("")
	at := s.publish(s.a, topic, bus.Publication{}).Position
	at.Epoch = "another"
	if r := s.read(s.b, topic, bus.Query{Since: &at}); r.Recovered || len(r.Messages) != 1 {
		s.Errorf("got %+v", r)
	}
}

func (s *suite) begins() {
	topic := s.topic("")
	empty := s.subscribe(s.b, topic)
	first := s.publish(s.a, topic, bus.Publication{})
	if empty.at.Offset != first.Offset-1 || empty.at.Epoch != first.Epoch {
		s.Errorf("it began at %v, and the first message is at %v", empty.at, first)
	}
	for _, e := range []bus.Engine{s.a, s.b} {
		s.follow(empty, 1)
		if k := s.subscribe(e, topic); k.at != first.Position {
			s.Errorf("it begins at %v, and the last message is at %v", k.at, first)
		}
	}
}

func (s *suite) cancel() {
	topic := s.topic("")
	k, other := s.subscribe(s.a, topic), s.subscribe(s.a, topic)
	s.publish(s.a, topic, bus.Publication{})
	s.follow(k, 1)
	k.cancel()
	s.publish(s.a, topic, bus.Publication{})
	s.follow(other, 2)
	s.follow(k, 1)
	if len(k.messages) > 1 {
		s.Error("it came all the same")
	}
}

func (s *suite) room() {
	if _, ok := s.a.(*bus.Memory); ok {
		return // its publishers ask for room themselves
	}
	topic := s.topic("")
	slow, quick := s.subscribe(s.b, topic), s.subscribe(s.a, topic)
	full := make(chan struct{})
	slow.mu.Lock()
	slow.full = full
	slow.mu.Unlock()
	for range 300 {
		s.publish(s.a, topic, bus.Publication{})
	}
	s.follow(quick, 300)
	slow.mu.Lock()
	if n := len(slow.messages); n > 1 {
		s.Errorf("%d messages, though there is no room", n)
	}
	slow.full = nil
	slow.mu.Unlock()
	close(full)
	s.follow(slow, 300)
}

func (s *suite) names() {
	for _, name := range []string{"a.b", "*", ">", "a b", "ä€😀", `"'\`, "=41", "A", strings.Repeat("ö", 100), "$x"} {
		topic := s.topic("") + name
		k := s.subscribe(s.b, topic)
		s.publish(s.a, topic, bus.Publication{Data: json.RawMessage(`"` + strings.Repeat("x", 10) + `"`)})
		s.follow(k, 1)
		s.join(s.a, topic, name, `1`)
		s.until(k, name+" joins", func() bool { return slices.Equal(k.events, []string{"+" + name + "1"}) })
		s.leave(s.a, topic, name)
		s.until(k, name+" leaves", func() bool { return len(k.events) == 2 && k.events[1] == "-"+name })
		if len(k.messages) != 1 {
			s.Errorf("%q: %d messages", name, len(k.messages))
		}
	}
}

func (s *suite) messages() {
	topic := s.topic("")
	k := s.subscribe(s.b, topic)
	p := bus.Publication{Data: json.RawMessage(`{"a":["ä",1e9]}`), ID: "id", Key: "key", User: "user", Receipts: "receipts"}
	s.publish(s.a, topic, p)
	m := s.follow(k, 1)[0]
	for _, m := range []bus.Message{m, s.read(s.b, topic, bus.Query{Last: 1}).Messages[0], s.read(s.a, topic, bus.Query{Last: 1}).Messages[0]} {
		if string(m.Data) != string(p.Data) || m.Key != p.Key || m.User != p.User || m.Receipt == nil || *m.Receipt != (bus.ReceiptRequest{To: "receipts", ID: "id"}) {
			s.Errorf("got %+v", m)
		}
	}
}
