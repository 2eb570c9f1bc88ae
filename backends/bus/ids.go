package bus

import "time"

// idMemory remembers for a while which ids were published where, so that
// repeating is harmless. Above max, the oldest are forgotten early.
type idMemory struct {
	max   int
	age   time.Duration
	at    map[publishedID]Position
	queue []remembered // oldest first
}

type publishedID struct{ topic, id string }

type remembered struct {
	publishedID
	until time.Time
}

func (s *idMemory) lookup(now time.Time, topic, id string) (Position, bool) {
	if id == "" {
		return Position{}, false
	}
	s.expire(now)
	at, ok := s.at[publishedID{topic, id}]
	return at, ok
}

func (s *idMemory) remember(now time.Time, topic, id string, at Position) {
	if id != "" {
		s.load(publishedID{topic, id}, at, now.Add(s.age))
	}
}

func (s *idMemory) expire(now time.Time) {
	for len(s.queue) > 0 && !now.Before(s.queue[0].until) {
		s.forgetOldest()
	}
}

func (s *idMemory) forgetOldest() {
	delete(s.at, s.queue[0].publishedID)
	s.queue[0] = remembered{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue, s.at = nil, nil // a map never shrinks
	}
}

// load remembers an id until a time.
func (s *idMemory) load(k publishedID, at Position, until time.Time) {
	if _, known := s.at[k]; known {
		return
	}
	if len(s.queue) >= s.max {
		s.forgetOldest()
	}
	if s.at == nil {
		s.at = make(map[publishedID]Position)
	}
	s.at[k] = at
	s.queue = append(s.queue, remembered{k, until})
}
