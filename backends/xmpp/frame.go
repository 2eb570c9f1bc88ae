package xmpp

import (
	"bytes"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

const (
	spaceFraming  = "urn:ietf:params:xml:ns:xmpp-framing" // RFC 7395 §3.3.2
	spaceStream   = "http://etherx.jabber.org/streams"    // RFC 6120 §4.8.1
	spaceErrors   = "urn:ietf:params:xml:ns:xmpp-streams" // RFC 6120 §4.9.2
	spaceTLS      = "urn:ietf:params:xml:ns:xmpp-tls"     // RFC 6120 §5.4.1
	spaceClient   = "jabber:client"
	spaceSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"    // RFC 6120 §6.5
	spaceCompress = "http://jabber.org/protocol/compress" // XEP-0138
	spaceOffer    = "http://jabber.org/features/compress" // XEP-0138 §3
	spaceSM       = "urn:xmpp:sm:3"                       // XEP-0198

	endTag = "</stream:stream>"
)

// A header is what a client says in its <open/>.
type header struct{ from, lang string }

// bytes returns the start of a stream (RFC 6120 §4.7). There is no id (§4.7.3),
// and from only if the stream is protected (§4.7.1).
func (h header) bytes(domain string, protected bool) []byte {
	b := []byte("<?xml version='1.0'?><stream:stream")
	if h.from != "" && protected {
		b = attribute(b, "from", h.from)
	}
	b = attribute(b, "to", domain)
	b = attribute(b, "version", "1.0")
	if h.lang != "" {
		b = attribute(b, "xml:lang", h.lang)
	}
	return append(b, " xmlns='"+spaceClient+"' xmlns:stream='"+spaceStream+"'>"...)
}

// openFrame tells a client of the server's header. There are clients that
// compare its first bytes with "<open ".
func openFrame(e *xmlframe.Element) []byte {
	b := []byte("<open xmlns='" + spaceFraming + "'")
	for _, name := range []string{"from", "id", "version"} {
		if v, ok := e.Attr("", name); ok {
			b = attribute(b, name, v)
		}
	}
	if lang := e.Lang(); lang != "" {
		b = attribute(b, "xml:lang", lang)
	}
	return append(b, "/>"...)
}

func attribute(b []byte, name, value string) []byte {
	b = append(b, " "+name+"='"...)
	b, err := xmlframe.EscapeValue(b, []byte(value))
	if err != nil {
		panic("xmpp: a parsed value has illegal characters: " + err.Error())
	}
	return append(b, '\'')
}

// offer is what stream features say of TLS.
type offer struct {
	tls      bool // STARTTLS is offered
	only     bool // and nothing else is
	required bool
}

// forClients takes out of features, which must stand by themselves, what is
// not for clients to negotiate: TLS (RFC 7395 §3.9) and compression (XEP-0206
// §4), and nothing else.
func forClients(features []byte, limits *xmlframe.Limits) ([]byte, offer, error) {
	doc, err := xmlframe.Parse(features, limits)
	if err != nil {
		return nil, offer{}, err
	}
	var o offer
	out := append(make([]byte, 0, len(features)), doc.Tag...)
	at, others := len(doc.Tag), 0
	for _, c := range doc.Children {
		// Only white space stands between the children.
		start := at + bytes.IndexByte(features[at:], '<')
		end := start + len(c.Raw)
		switch {
		case c.Name.Is(spaceTLS, "starttls"):
			o.tls = true
			o.required = o.required || bytes.Contains(c.Raw, []byte("required"))
		case c.Name.Is(spaceOffer, "compression"):
		default:
			others++
			out = append(out, features[at:end]...)
		}
		at = end
	}
	o.only = o.tls && others == 0
	return append(out, features[at:]...), o, nil
}
