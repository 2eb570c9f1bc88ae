package xmpp

import (
	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

// Bounce implements [transport.Bouncer]: senders learn that the client is gone
// (XEP-0206 §7), and a server keeps a message for later. Where the client can
// resume its session, the server sends everything again by itself
// (XEP-0198 §5), and nothing is said.
//
// What was sent to the client and not acknowledged is taken for delivered: to
// bounce it would double many a message, to drop it loses one at most where the
// client broke off.
func (s *stream) Bounce(frames [][]byte) {
	if !s.opened {
		return
	}
	<-s.ready
	if s.link == nil || s.resumable.Load() {
		return
	}
	for _, frame := range frames {
		if p := bounced(frame); p != nil && s.write(p) != nil {
			return
		}
	}
}

const spaceStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas" // RFC 6120 §8.3.2

// bounced returns the error that the sender of a stanza is owed; nil: none.
// RFC 6120 §8.3.1: none for errors, and of iq only for requests.
func bounced(frame []byte) []byte {
	e, err := xmlframe.ParseElement(frame, false, nil)
	if err != nil || e.Name.Space != spaceClient {
		return nil
	}
	kind, _ := e.Attr("", "type")
	var condition string
	switch {
	case e.Name.Local == "message" && kind != "error":
		condition = "<error type='wait'><recipient-unavailable xmlns='" + spaceStanzas + "'/></error>"
	case e.Name.Local == "iq" && (kind == "get" || kind == "set"):
		condition = "<error type='cancel'><service-unavailable xmlns='" + spaceStanzas + "'/></error>"
	default:
		return nil
	}
	b := attribute([]byte("<"+e.Name.Local), "type", "error")
	for _, name := range []struct{ from, to string }{{"from", "to"}, {"id", "id"}} {
		if v, ok := e.Attr("", name.from); ok {
			b = attribute(b, name.to, v)
		}
	}
	return append(b, ">"+condition+"</"+e.Name.Local+">"...)
}
