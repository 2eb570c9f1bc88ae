//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	gorilla "github.com/gorilla/websocket"
)

// session is one of push.v1 (docs/push-v1.md).
type session struct {
	*visitor
	id, key  string
	ack, own uint64 // the last message of the server that came, and how many were sent
	attach   uint64
}

// object is what the server says.
type object struct {
	Session, Key, Ticket string
	First                uint64
	Messages             []json.RawMessage
	End, Error           *struct{ Code string }
}

// create makes a session that is subscribed.
func (v *visitor) create() (*session, error) {
	s := &session{visitor: v, own: 1}
	o, err := s.ask("/push", `{"messages":[`+v.subscribe()+`]}`)
	if err != nil {
		return nil, err
	}
	s.id, s.key = o.Session, o.Key
	return s, nil
}

func (s *session) ask(path, body string) (*object, error) {
	answer, err := s.post(path, body)
	if err != nil {
		return nil, err
	}
	return s.take(answer)
}

// take counts what came.
func (s *session) take(text string) (*object, error) {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil || o.Error != nil || o.End != nil && o.End.Code != "normal" {
		return nil, errors.Join(unexpected(text), err)
	}
	s.ack += uint64(len(o.Messages))
	s.messages += len(o.Messages)
	return &o, nil
}

// object writes one of the client's.
func (s *session) object(members string) string {
	return fmt.Sprintf(`{"session":%q,"key":%q%s}`, s.id, s.key, members)
}

// speak publishes something, and acknowledges.
func (s *session) speak() error {
	s.own++
	_, err := s.ask("/push", s.object(fmt.Sprintf(`,"first":%d,"messages":[%s],"ack":%d`, s.own, s.publish(), s.ack)))
	return err
}

func (s *session) bye() error {
	if s.leave != goodbye {
		return nil
	}
	_, err := s.ask("/push", s.object(`,"end":true`))
	return err
}

func (v *visitor) poll(ctx context.Context) error {
	s, err := v.create()
	for err == nil && ctx.Err() == nil {
		s.attach++
		if _, err = s.ask("/push", s.object(fmt.Sprintf(`,"attach":%d,"ack":%d`, s.attach, s.ack))); err == nil {
			err = s.speak()
		}
		v.pause(ctx)
	}
	if err != nil {
		return err
	}
	return s.bye()
}

func (v *visitor) stream(ctx context.Context) error {
	s, err := v.create()
	if err != nil {
		return err
	}
	for ctx.Err() == nil { // one stream after the other
		s.attach++
		o, err := s.ask("/push/sse", s.object(fmt.Sprintf(`,"attach":%d,"ack":%d`, s.attach, s.ack)))
		if err != nil {
			return err
		}
		resp, err := v.http.Get("http://" + v.server.addr + "/push/sse?ticket=" + o.Ticket)
		if err != nil {
			return err
		}
		lines := bufio.NewReader(resp.Body)
		for n := v.rng.IntN(50); n > 0 && ctx.Err() == nil; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return err
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				n--
				if _, err := s.take(data); err != nil {
					return err
				}
				if err := s.speak(); err != nil {
					return err
				}
			}
		}
		if v.leave == goodbye || ctx.Err() == nil {
			resp.Body.Close()
		} else {
			v.unread = resp.Body
		}
	}
	return s.bye()
}

func (v *visitor) dial(protocol string) (*gorilla.Conn, error) {
	d := gorilla.Dialer{NetDialContext: v.conns.dial, Subprotocols: []string{protocol}}
	ws, _, err := d.Dial("ws://"+v.server.addr+"/push/ws", nil)
	return ws, err
}

func (v *visitor) socket(ctx context.Context) error {
	ws, err := v.dial("push.v1")
	if err != nil {
		return err
	}
	s := &session{visitor: v}
	say := func(object string) error { return ws.WriteMessage(gorilla.TextMessage, []byte(object)) }
	if err := say(`{"messages":[` + v.subscribe() + `]}`); err != nil {
		return err
	}
	ended := false
	for {
		_, data, err := ws.ReadMessage()
		if ended && gorilla.IsCloseError(err, gorilla.CloseNormalClosure) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.take(string(data)); err != nil {
			return err
		}
		switch {
		case ended:
		case ctx.Err() != nil && v.leave != goodbye:
			return nil
		case ctx.Err() != nil:
			ended = true
			err = say(`{"end":true}`)
		case v.rng.IntN(3) == 0:
			err = say(fmt.Sprintf(`{"ack":%d,"messages":[%s]}`, s.ack, v.publish()))
		default:
			err = say(fmt.Sprintf(`{"ack":%d}`, s.ack))
		}
		if err != nil {
			return err
		}
	}
}
