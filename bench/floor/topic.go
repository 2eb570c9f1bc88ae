package main

import (
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Topics are made when they are first named.
type topics struct {
	hold   time.Duration
	make   func(text []byte) *message
	mu     sync.Mutex
	byName map[string]*topic
}

func (ts *topics) get(name string) *topic {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byName[name]
	if t == nil {
		t = &topic{}
		ts.byName[name] = t
	}
	return t
}

// A message is written out once for all who get it, as the carriers need it.
type message struct {
	text     []byte
	answer   []byte // to a poll
	event    []byte
	frame    []byte
	prepared *websocket.PreparedMessage
}

// kept is how many messages a poll may be late.
const kept = 100

// A topic numbers its messages from 1.
type topic struct {
	mu       sync.Mutex
	count    int
	messages []*message // the newest
	streams  []func(m *message)
	polls    []*poll
}

// A poll is owed the messages after a number, once; none when its time is up.
type poll struct {
	answer func(messages []*message)
	timer  *time.Timer
}

// subscribe has each message given to the function.
func (t *topic) subscribe(give func(m *message)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams = append(t.streams, give)
}

// poll returns the messages after a number, or has the function called with
// the next one.
func (t *topic) poll(after int, hold time.Duration, answer func(messages []*message)) (p *poll, messages []*message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if late := min(t.count-after, len(t.messages)); late > 0 {
		return nil, slices.Clone(t.messages[len(t.messages)-late:])
	}
	p = &poll{answer: answer}
	p.timer = time.AfterFunc(hold, func() {
		if t.cancel(p) {
			answer(nil)
		}
	})
	t.polls = append(t.polls, p)
	return p, nil
}

// cancel reports whether the poll was still waiting.
func (t *topic) cancel(p *poll) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.polls, p)
	if i < 0 {
		return false
	}
	t.polls[i] = t.polls[len(t.polls)-1]
	t.polls = t.polls[:len(t.polls)-1]
	p.timer.Stop()
	return true
}

func (t *topic) publish(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.messages = append(t.messages, m)
	if len(t.messages) > kept {
		t.messages = t.messages[1:]
	}
	polls := t.polls
	t.polls = nil
	for _, give := range t.streams {
		give(m)
	}
	for _, p := range polls {
		p.timer.Stop()
		p.answer([]*message{m})
	}
}
