//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A carrier takes a session's elements to the server, and gives the session
// what comes back.
type carrier interface {
	// open begins the stream, or restarts it.
	open()
	// send sends one element.
	send(element string)
	// flush is called when no more is to be sent for now.
	flush()
	// end ends the stream; the session hears of that as closed.
	end()
}

// A session logs in, then sends messages to itself.
type session struct {
	carrier carrier
	user    string
	jid     string
	step    int
	buf     []byte // what was received and is not yet whole
	onReady func()
	onEnd   func(error)
	onEcho  func(s *session, latency time.Duration)

	sent, received int // by their numbers
	lost, doubled  int
	pending        []time.Time // when the messages were to be sent that are not back
	ended, closed  bool
}

// Steps of a session.
const (
	opening = iota
	authenticating
	restarting
	binding
	ready
)

var errRefused = errors.New("refused")

// text takes what the server says. Whole: elements end where it ends.
func (s *session) text(data []byte, whole bool) {
	if len(s.buf) > 0 {
		s.buf = append(s.buf, data...)
		data = s.buf
	}
	rest := s.consume(data)
	if whole && s.step == ready {
		rest = nil
	}
	s.buf = append(s.buf[:0], rest...)
}

func (s *session) consume(data []byte) (rest []byte) {
	for {
		if s.step == ready {
			return s.messages(data)
		}
		if bytes.Contains(data, []byte("<failure")) || bytes.Contains(data, []byte("stream:error")) || bytes.Contains(data, []byte("type='error'")) {
			s.fail(fmt.Errorf("%w: %s", errRefused, data))
			return nil
		}
		end := 0
		switch s.step {
		case opening, restarting:
			end = endOf(data, "</stream:features>", "</features>")
		case authenticating:
			if i := bytes.Index(data, []byte("<success")); i >= 0 {
				if j := bytes.IndexByte(data[i:], '>'); j >= 0 {
					end = i + j + 1
				}
			}
		case binding:
			end = endOf(data, "</iq>")
		}
		if end == 0 {
			return data
		}
		s.advance(string(data[:end]))
		data = data[end:]
	}
}

// endOf returns where the first of the marks ends that is there; zero if none is.
func endOf(data []byte, marks ...string) int {
	for _, mark := range marks {
		if i := bytes.Index(data, []byte(mark)); i >= 0 {
			return i + len(mark)
		}
	}
	return 0
}

// advance does what comes after the step that is done.
func (s *session) advance(said string) {
	s.step++
	switch s.step {
	case authenticating:
		plain := base64.StdEncoding.EncodeToString([]byte("\x00" + s.user + "\x00" + password))
		s.carrier.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain + "</auth>")
	case restarting:
		s.carrier.open()
	case binding:
		s.carrier.send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>")
	case ready:
		_, jid, ok := bytes.Cut([]byte(said), []byte("<jid>"))
		jid, _, _ = bytes.Cut(jid, []byte("<"))
		if !ok {
			s.fail(fmt.Errorf("%w: %s", errRefused, said))
			return
		}
		s.jid = string(jid)
		s.onReady()
	}
}

// password is that of every user.
const password = "secret"

// filling makes the message's text 100 bytes long.
const filling = "The quick brown fox jumps over the lazy dog, and then the dog gets up and asks the fox what it wants"

// say sends the next message, which should have left at the time.
func (s *session) say(at time.Time) {
	s.sent++
	s.pending = append(s.pending, at)
	s.carrier.send("<message xmlns='jabber:client' type='chat' to='" + s.jid + "' id='" + strconv.Itoa(s.sent) + "'><body>" + filling + "</body></message>")
}

// messages takes those that are back, and returns what is not yet whole.
func (s *session) messages(data []byte) (rest []byte) {
	for {
		i := bytes.Index(data, []byte("<message"))
		if i < 0 {
			return data[max(0, len(data)-len("<message")):]
		}
		data = data[i:]
		end := bytes.Index(data, []byte("</message>"))
		if end < 0 {
			return data
		}
		s.echo(number(data[:end]))
		data = data[end+len("</message>"):]
	}
}

// number returns the id of a message; zero if it is none of ours.
func number(message []byte) int {
	i := bytes.Index(message, []byte(" id="))
	if i < 0 {
		return 0
	}
	n := 0
	for _, b := range message[i+len(" id=")+1:] {
		if b < '0' || b > '9' {
			break
		}
		n = n*10 + int(b-'0')
	}
	return n
}

// echo counts a message that is back. They come in order, or are missing.
func (s *session) echo(n int) {
	if n <= s.received || n > s.sent {
		s.doubled++
		return
	}
	missing := n - s.received - 1
	s.lost += missing
	at := s.pending[missing]
	s.pending = s.pending[missing+1:]
	s.received = n
	s.onEcho(s, time.Since(at))
}

// settle gives up those that are not back.
func (s *session) settle() {
	s.lost += s.sent - s.received
	s.received = s.sent
	s.pending = nil
}

func (s *session) end() {
	s.ended = true
	s.carrier.end()
}

func (s *session) fail(err error) {
	if !s.closed {
		s.closed = true
		if s.ended {
			err = nil
		}
		s.onEnd(err)
	}
}
