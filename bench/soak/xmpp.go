//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"strings"

	gorilla "github.com/gorilla/websocket"
)

// rider is a session of BOSH.
type rider struct {
	*visitor
	rid uint64
	sid string
}

func (v *visitor) ride(attrs string) (*rider, string, error) {
	r := &rider{visitor: v, rid: v.rng.Uint64N(1 << 40)}
	answer, err := r.request(`ver='1.6' wait='1' hold='1' `+attrs, "")
	_, rest, ok := strings.Cut(answer, " sid='")
	if r.sid, _, _ = strings.Cut(rest, "'"); err == nil && !ok {
		err = unexpected(answer)
	}
	return r, answer, err
}

func (r *rider) request(attrs, payload string) (string, error) {
	r.rid++
	if r.sid != "" {
		attrs += " sid='" + r.sid + "'"
	}
	answer, err := r.post("/http-bind", fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' rid='%d' %s>%s</body>", r.rid, attrs, payload))
	over := strings.Contains(answer, "type='terminate'")
	if bye := strings.Contains(attrs, "type='terminate'"); err == nil && over != bye {
		err = unexpected(answer)
	}
	r.messages += strings.Count(answer, "</json>") + strings.Count(answer, "</message>")
	return answer, err
}

func (r *rider) bye() error {
	if r.leave != goodbye {
		return nil
	}
	_, err := r.request("type='terminate'", "")
	return err
}

func inXML(json string) string {
	return "<json xmlns='urn:xmpp:json:0'>" + html.EscapeString(json) + "</json>"
}

func (v *visitor) boshBus(ctx context.Context) error {
	r, _, err := v.ride("")
	if err == nil {
		_, err = r.request("", inXML(v.subscribe()))
	}
	for err == nil && ctx.Err() == nil {
		_, err = r.request("", inXML(v.publish()))
		v.pause(ctx)
	}
	if err != nil {
		return err
	}
	return r.bye()
}

// What a client says to log in, and what it hears in between.
var (
	auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00u\x00p")) + "</auth>"
	bind = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
)

func (v *visitor) message() string {
	return fmt.Sprintf("<message xmlns='jabber:client' to='u@%s'><body>%s</body></message>", domain, strings.Repeat("x", v.rng.IntN(1000)))
}

func (v *visitor) boshXMPP(ctx context.Context) error {
	const to = "to='" + domain + "' xmpp:version='1.0'"
	r, answer, err := v.ride(to)
	for _, step := range []struct{ attrs, payload, want string }{
		{"", "", "mechanisms"}, {"", auth, "success"}, {to + " xmpp:restart='true'", "", "bind"}, {"", bind, "result"},
	} {
		if step.want != "mechanisms" && err == nil {
			answer, err = r.request(step.attrs, step.payload)
		}
		for n := 0; err == nil && !strings.Contains(answer, step.want); n++ {
			if answer, err = r.request("", ""); n > 20 {
				return unexpected(answer)
			}
		}
	}
	for err == nil && ctx.Err() == nil {
		_, err = r.request("", v.message())
		v.pause(ctx)
	}
	if err != nil {
		return err
	}
	return r.bye()
}

func (v *visitor) socketXMPP(ctx context.Context) error {
	ws, err := v.dial("xmpp")
	if err != nil {
		return err
	}
	const open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + domain + "' version='1.0'/>"
	const end = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
	say := func(xml string) error { return ws.WriteMessage(gorilla.TextMessage, []byte(xml)) }
	hear := func(what string) error {
		for {
			_, data, err := ws.ReadMessage()
			if err != nil || strings.Contains(string(data), what) {
				return err
			}
		}
	}
	for _, step := range []struct{ say, hear string }{{open, "mechanisms"}, {auth, "success"}, {open, "bind"}, {bind, "result"}} {
		if err := say(step.say); err != nil {
			return err
		}
		if err := hear(step.hear); err != nil {
			return fmt.Errorf("waiting for %s: %w", step.hear, err)
		}
	}
	for ctx.Err() == nil {
		if err := say(v.message()); err != nil {
			return err
		}
		if err := hear("<message"); err != nil {
			return err
		}
		v.messages++
		v.pause(ctx)
	}
	if v.leave != goodbye {
		return nil
	}
	if err := say(end); err != nil {
		return err
	}
	return hear("<close")
}
