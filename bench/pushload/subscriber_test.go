//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

// A deaf client hears and says nothing; it counts acknowledgements.
type deaf struct{ acknowledged int }

func (*deaf) start()         {}
func (*deaf) close()         {}
func (d *deaf) acknowledge() { d.acknowledged++ }

func newSubscriber() *subscriber {
	return &subscriber{bench: &bench{}, topic: &topic{name: "t0"}, client: &deaf{}}
}

func say(numbers ...int) (text []byte) {
	for _, n := range numbers {
		text = append(text, `{"messages":["`...)
		text = appendMessage(text, n, time.Now())
		text = append(text, "\"]}\n"...)
	}
	return text
}

func TestLostAndDoubled(t *testing.T) {
	for name, c := range map[string]struct {
		sent          int
		come          []int
		lost, doubled int
	}{
		"all":            {3, []int{1, 2, 3}, 0, 0},
		"none":           {2, nil, 2, 0},
		"one in between": {3, []int{1, 3}, 1, 0},
		"the last":       {3, []int{1, 2}, 1, 0},
		"one twice":      {2, []int{1, 1, 2}, 0, 1},
		"two exchanged":  {2, []int{2, 1}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubscriber()
			s.topic.sent = c.sent
			s.whole(say(c.come...))
			s.settle()
			if s.lost != c.lost || s.doubled != c.doubled {
				t.Errorf("lost %d, doubled %d; want %d, %d", s.lost, s.doubled, c.lost, c.doubled)
			}
		})
	}
}

// However a stream is cut, its messages are found.
func TestMessagesInPieces(t *testing.T) {
	text := say(1, 2, 3)
	for piece := 1; piece <= len(text); piece++ {
		s := newSubscriber()
		for part := range slices.Chunk(text, piece) {
			s.piece(part)
		}
		if s.received != 3 || s.newest != 3 || s.lost+s.doubled != 0 {
			t.Fatalf("in pieces of %d: %+v", piece, s)
		}
	}
}

func TestMessageTellsItsTime(t *testing.T) {
	want := time.Now()
	message := appendMessage(nil, 7, want)
	if len(message) != messageSize {
		t.Errorf("it has %d bytes", len(message))
	}
	eachMessage(message, func(number int, at time.Time) {
		if number != 7 || !at.Equal(want) {
			t.Errorf("%d, %v", number, at)
		}
	})
}

// A subscriber acknowledges as the JavaScript client does: after some messages,
// or when time is up.
func TestAcknowledge(t *testing.T) {
	s := newSubscriber()
	d := s.client.(*deaf)
	for n := range ackCount + 1 {
		s.whole(say(n + 1))
	}
	if d.acknowledged != 1 {
		t.Errorf("%d acknowledgements of %d messages", d.acknowledged, ackCount+1)
	}
	q := &s.bench.unacknowledged
	q.due(time.Now())
	if d.acknowledged != 1 {
		t.Error("one came before its time")
	}
	q.due(time.Now().Add(2 * ackDelay))
	if d.acknowledged != 2 || len(q.waiting) != 0 {
		t.Errorf("%d acknowledgements when time is up, %d waiting", d.acknowledged, len(q.waiting))
	}
}
