package main

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// xmppTraffic is that of a user of an XMPP server: it logs in, and sends
// numbered messages to the next of the users, who count them. They go through
// the gateway twice, so a line is up and down in one.
type xmppTraffic struct {
	client *boshClient
	domain string
	peer   *peer  // down: what comes from the one before
	next   *peer  // down: what goes to the next
	ready  func() // called when the user can be reached
	start  <-chan struct{}
	queue  []string // what the login has to say
	sent   uint64
}

// ahead is how many messages may be on their way to the next.
const ahead = 500

const resource = "chaos"

func nameOf(n int) string { return fmt.Sprintf("user%d", n) }

func users(n int) (all []string) {
	for i := range n {
		all = append(all, nameOf(i))
	}
	return all
}

// A stanza is any element of a stream, as far as it matters here.
type stanza struct {
	XMLName    xml.Name
	Type       string    `xml:"type,attr"`
	ID         string    `xml:"id,attr"`
	Body       string    `xml:"body"`
	Mechanisms *struct{} `xml:"mechanisms"`
	Bind       *struct{} `xml:"bind"`
}

func (t *xmppTraffic) payloads(most int) (all []string) {
	if t.queue != nil {
		all, t.queue = t.queue, nil
		return all
	}
	select {
	case <-t.start:
	default:
		return nil
	}
	for ; most > 0 && t.sent < t.next.down.want && t.sent < t.next.down.got()+ahead; most-- {
		t.sent++
		t.peer.upSent.Store(t.sent)
		to := nameOf(t.next.number) + "@" + t.domain + "/" + resource
		all = append(all, `<message xmlns='jabber:client' type='chat' to='`+to+`'><body>`+escape(message(t.sent))+`</body></message>`)
	}
	return all
}

func (t *xmppTraffic) take(a *boshAnswer) {
	for _, s := range a.Stanzas {
		switch {
		case s.XMLName.Local == "features" && s.Mechanisms != nil:
			secret := base64.StdEncoding.EncodeToString([]byte("\x00" + nameOf(t.peer.number) + "\x00" + xmpptest.Password))
			t.queue = append(t.queue, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>`+secret+`</auth>`)
		case s.XMLName.Local == "success":
			t.client.restart = true
		case s.XMLName.Local == "features" && s.Bind != nil:
			t.queue = append(t.queue, `<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>`+resource+`</resource></bind></iq>`)
		case s.XMLName.Local == "iq" && s.ID == "bind" && s.Type == "result":
			t.queue = append(t.queue, `<presence xmlns='jabber:client'/>`)
			t.ready()
		case s.XMLName.Local == "message" && s.Type == "chat":
			t.peer.down.take([]byte(s.Body))
		case s.Type == "error" || strings.Contains(s.XMLName.Local, "fail"):
			t.client.err = fmt.Errorf("%s: %+v", nameOf(t.peer.number), s)
		}
	}
}

// complete: nobody leaves before all have everything.
func (t *xmppTraffic) complete() bool {
	return t.sent == t.next.down.want && t.next.down.isComplete() && t.peer.down.isComplete()
}
