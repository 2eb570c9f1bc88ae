package bosh

import (
	"bytes"
	"strings"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// This file has what XEP-0206 adds for XMPP. To backends, a stream begins and
// restarts with <open/>, as on a WebSocket (RFC 7395 §3.4, §3.7).

const (
	xboshNamespace   = "urn:xmpp:xbosh"
	streamNamespace  = "http://etherx.jabber.org/streams"
	framingNamespace = "urn:ietf:params:xml:ns:xmpp-framing"
	clientNamespace  = "jabber:client"

	xmppVersion = "1.0"
)

// inherited says what the payloads of clients are meant to be in that leave
// the namespace out (XEP-0206 §2).
var inherited = []xmlframe.Rename{{From: namespace, To: clientNamespace}, {From: "", To: clientNamespace}}

// setXMPPAttr takes an attribute of XEP-0206; it reports whether its value is
// one.
func (r *request) setXMPPAttr(name, value string) (ok bool) {
	switch name {
	case "restart":
		switch strings.Trim(value, " \t\r\n") {
		case "true", "1":
			r.restart = true
		case "false", "0":
		default:
			return false
		}
	case "version":
		r.xmppVersion = value
	}
	return len(value) <= maxAddress
}

// open returns the <open/> that begins a stream of XMPP. Without a version it
// is 1.0: that is the default of the schema (XEP-0206 §11), whatever RFC 6120
// §4.7.5 says of streams that name none.
func (r *request) open() transport.Frame {
	b := []byte("<open xmlns='" + framingNamespace + "'")
	attr := func(name, value string) {
		if value != "" {
			b = append(append(append(b, ' '), name...), "='"...)
			b = append(appendText(b, []byte(value), true), '\'')
		}
	}
	attr("to", r.to)
	attr("from", r.from)
	version := r.xmppVersion
	if version == "" {
		version = xmppVersion
	}
	attr("version", version)
	attr("xml:lang", r.lang)
	return transport.Frame{Stream: r.stream, Data: append(b, "/>"...)}
}

// An opened is what the server said when it opened a stream, or opened it
// again.
type opened struct{ id, from, version string }

// openedIn takes the servers' <open/> out of the frames: what it says goes
// into attributes of <body/> (XEP-0206 §4).
func openedIn(frames []transport.Frame) (rest []transport.Frame, o *opened) {
	for i, f := range frames {
		if !bytes.HasPrefix(f.Data, []byte("<open ")) {
			continue
		}
		e, err := xmlframe.ParseElement(f.Data, false, nil)
		if err != nil || !e.Name.Is(framingNamespace, "open") {
			continue
		}
		o = new(opened)
		o.id, _ = e.Attr("", "id")
		o.from, _ = e.Attr("", "from")
		o.version, _ = e.Attr("", "version")
		rest = append(frames[:i:i], frames[i+1:]...)
		if more, last := openedIn(rest); last != nil {
			return more, last
		}
		return rest, o
	}
	return frames, nil
}

// Apart implements transport.Gate: features are with the <open/> before them,
// and with nothing else (XEP-0206 §2).
func (g *gate) Apart(before, frame []byte) bool {
	isOpen, isFeatures := []byte("<open "), []byte("<stream:features")
	return bytes.HasPrefix(frame, isOpen) || bytes.HasPrefix(before, isFeatures) ||
		bytes.HasPrefix(frame, isFeatures) && !bytes.HasPrefix(before, isOpen)
}

// opened writes what a server said when it opened a stream. The id is for
// clients that log in as XEP-0078 says.
func (b *wrapper) opened(o *opened) {
	if o.version != "" {
		b.xmppAttr("version", o.version)
	}
	if o.id != "" {
		b.attr("authid", o.id)
	}
}

// xmppAttr writes an attribute of XEP-0206 with the prefix that some clients
// take for the name.
func (b *wrapper) xmppAttr(name, value string) {
	if !b.xbosh {
		b.xbosh = true
		b.attr("xmlns:xmpp", xboshNamespace)
	}
	b.attr("xmpp:"+name, value)
}

// declareStream declares the prefix of features and errors on the wrapper
// (XEP-0206 §2).
func (b *wrapper) declareStream(frames []transport.Frame) {
	if !b.streamDeclared && speaksOfStream(frames) {
		b.streamDeclared = true
		b.attr("xmlns:stream", streamNamespace)
	}
}

func speaksOfStream(frames []transport.Frame) bool {
	for _, f := range frames {
		if bytes.HasPrefix(f.Data, []byte("<stream:")) || f.End != nil && speaksOfStream(f.End.Payload) {
			return true
		}
	}
	return false
}
