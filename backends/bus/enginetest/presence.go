package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// This file has who is present.

func (s *suite) join(e bus.Engine, topic, id, info string) {
	s.Helper()
	if err := e.Join(s.ctx(), topic, bus.Member{ID: id, Info: json.RawMessage(info), User: "u" + id}); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) leave(e bus.Engine, topic, id string) {
	s.Helper()
	if err := e.Leave(s.ctx(), topic, id); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) members(e bus.Engine, topic string, limit int) (ids []string, count int) {
	s.Helper()
	members, count, err := e.Members(s.ctx(), topic, limit)
	if err != nil {
		s.Fatal(err)
	}
	for _, m := range members {
		if m.User != "u"+m.ID {
			s.Errorf("the user of %s is %s", m.ID, m.User)
		}
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids, count
}

func (s *suite) presence() {
	topic := s.topic("")
	x, y := s.subscribe(s.a, topic), s.subscribe(s.b, topic)
	if ids, n := s.members(s.b, topic, 9); len(ids)+n > 0 {
		s.Errorf("nobody is there: %q", ids)
	}
	s.join(s.a, topic, "m1", `1`)
	s.join(s.b, topic, "m2", `2`)
	for _, k := range []*sink{x, y} {
		s.until(k, "both come", func() bool { return len(k.events) == 2 })
	}
	for _, e := range []bus.Engine{s.a, s.b} {
		if ids, n := s.members(e, topic, 9); !slices.Equal(ids, []string{"m1", "m2"}) || n != 2 {
			s.Errorf("there are %q, %d", ids, n)
		}
		if ids, n := s.members(e, topic, 1); len(ids) != 1 || n != 2 {
			s.Errorf("of %d, %q are told", n, ids)
		}
	}
	s.leave(s.a, topic, "m1")
	s.leave(s.a, topic, "never there")
	for _, k := range []*sink{x, y} {
		s.until(k, "one leaves", func() bool { return len(k.events) == 3 && k.events[2] == "-m1" })
	}
	if ids, _ := s.members(s.b, topic, 9); !slices.Equal(ids, []string{"m2"}) {
		s.Errorf("there are %q", ids)
	}
	s.leave(s.b, topic, "m2")
}

func (s *suite) again() {
	topic := s.topic("")
	x := s.subscribe(s.b, topic)
	s.join(s.a, topic, "m", `1`)
	s.join(s.a, topic, "m", `1`)
	s.join(s.b, topic, "m", `1`) // its session went on there
	s.join(s.b, topic, "m", `2`)
	s.until(x, "it changes", func() bool { return slices.Equal(x.events, []string{"+m1", "+m2"}) })
	if _, same := s.a.(*bus.Memory); !same {
		s.leave(s.a, topic, "m") // it is not there any more
		if ids, _ := s.members(s.b, topic, 9); len(ids) != 1 {
			s.Error("it left where it was not")
		}
	}
	s.leave(s.b, topic, "m")
	s.until(x, "it leaves", func() bool { return slices.Equal(x.events, []string{"+m1", "+m2", "-m"}) })
}

func (s *suite) manyMembers() {
	topic := s.topic("")
	const n = 600
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { s.join(s.a, topic, fmt.Sprint("m", i), `{}`) })
	}
	all.Wait()
	if ids, count := s.members(s.b, topic, 1000); len(ids) != n || count != n {
		s.Errorf("%d and %d members", len(ids), count)
	}
}
