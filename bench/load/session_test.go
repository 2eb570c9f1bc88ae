//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/bench/epoll"
)

// A recorder is a carrier that only remembers.
type recorder struct{ said []string }

func (r *recorder) open()               { r.said = append(r.said, "open") }
func (r *recorder) send(element string) { r.said = append(r.said, element) }
func (r *recorder) flush()              {}
func (r *recorder) end()                {}

func newSession(step int) (*session, *recorder) {
	r := &recorder{}
	return &session{
		carrier: r, user: "u0", jid: "u0@im.example/r", step: step,
		onReady: func() {}, onEnd: func(error) {}, onEcho: func(*session, time.Duration) {},
	}, r
}

const login = `<?xml version='1.0'?><stream:stream><stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features>` +
	`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success><stream:stream><features><bind/></features>` +
	`<iq type='result' id='bind'><bind><jid>u0@im.example/r</jid></bind></iq>`

// However the server's words are cut, the session logs in and finds its messages.
func TestSessionInPieces(t *testing.T) {
	heard := login + `<message id='1'><body>a</body></message> <message from="x" id="2"/></message>`
	for piece := 1; piece < len(heard); piece++ {
		s, r := newSession(opening)
		s.onReady = func() { s.say(time.Now()); s.say(time.Now()) }
		for i := 0; i < len(heard); i += piece {
			s.text([]byte(heard[i:min(i+piece, len(heard))]), false)
		}
		if s.step != ready || s.jid != "u0@im.example/r" || s.received != 2 || s.lost+s.doubled != 0 {
			t.Fatalf("in pieces of %d: %+v", piece, s)
		}
		if len(r.said) != 5 || !strings.HasPrefix(r.said[0], "<auth ") || r.said[1] != "open" || !strings.Contains(r.said[2], "<bind ") {
			t.Fatalf("in pieces of %d it says %q", piece, r.said)
		}
	}
}

func TestLostAndDoubled(t *testing.T) {
	for name, c := range map[string]struct {
		sent          int
		back          []int
		lost, doubled int
	}{
		"all":            {3, []int{1, 2, 3}, 0, 0},
		"none":           {2, nil, 2, 0},
		"one in between": {3, []int{1, 3}, 1, 0},
		"the last":       {3, []int{1, 2}, 1, 0},
		"one twice":      {2, []int{1, 1, 2}, 0, 1},
		"two exchanged":  {2, []int{2, 1}, 1, 1},
		"never sent":     {1, []int{1, 2}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newSession(ready)
			for range c.sent {
				s.say(time.Now())
			}
			for _, n := range c.back {
				s.echo(n)
			}
			s.settle()
			if s.lost != c.lost || s.doubled != c.doubled {
				t.Errorf("lost %d, doubled %d; want %d, %d", s.lost, s.doubled, c.lost, c.doubled)
			}
		})
	}
}

// Frames of a server are found however they are cut.
func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 300)
	var in []byte
	for _, text := range []string{"<message id='1'></message>", "<message id='2'>" + long + "</message>"} {
		if len(text) < 126 {
			in = append(in, 0x81, byte(len(text)))
		} else {
			in = append(in, 0x81, 126, byte(len(text)>>8), byte(len(text)))
		}
		in = append(in, text...)
	}
	for piece := 1; piece <= len(in); piece++ {
		s, _ := newSession(ready)
		s.say(time.Now())
		s.say(time.Now())
		c := &ws{s: s, conn: &epoll.Conn{}, ready: true}
		for i := 0; i < len(in); i += piece {
			c.data(in[i:min(i+piece, len(in))])
		}
		if s.received != 2 || s.lost+s.doubled != 0 {
			t.Fatalf("in pieces of %d: %+v", piece, s)
		}
	}
}
