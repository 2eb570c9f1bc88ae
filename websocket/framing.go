package websocket

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"strings"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

// Namespaces of RFC 7395 §3.3.2 and RFC 6120 §4.8.1, §4.9, §6.4.1.
const (
	spaceFraming = "urn:ietf:params:xml:ns:xmpp-framing"
	spaceStream  = "http://etherx.jabber.org/streams"
	spaceErrors  = "urn:ietf:params:xml:ns:xmpp-streams"
	spaceSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
)

// closeElement ends a stream. Some clients compare it byte by byte, space and
// double quotes included.
const closeElement = `<close xmlns="` + spaceFraming + `" />`

// appendOpen appends the answer to the client's <open/>, for a stream that
// ends before its backend gave one (RFC 7395 §3.5). From is whom the client
// asked for.
func appendOpen(dst []byte, from string) []byte {
	dst = append(dst, `<open xmlns="`+spaceFraming+`" version="1.0" xml:lang="en"`...)
	dst = appendAttr(dst, "id", rand.Text())
	if from != "" {
		dst = appendAttr(dst, "from", from)
	}
	return append(dst, ` />`...)
}

// appendAttr appends an attribute whose value is such that XML can carry it.
func appendAttr(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, ' '), name...), `="`...)
	dst, _ = xmlframe.EscapeValue(dst, []byte(value))
	return append(dst, '"')
}

// appendError appends a stream error as an element that stands alone (RFC
// 7395 §3.3.3, §3.5). Each child declares its namespace itself: some clients
// look at the attribute.
func appendError(dst []byte, condition streamError, text string) []byte {
	dst = append(dst, `<stream:error xmlns:stream="`+spaceStream+`"><`...)
	dst = append(append(dst, condition...), ` xmlns="`+spaceErrors+`"/>`...)
	if text != "" {
		if escaped, err := xmlframe.EscapeText(nil, []byte(text)); err == nil {
			dst = append(dst, `<text xmlns="`+spaceErrors+`" xml:lang="en">`...)
			dst = append(append(dst, escaped...), `</text>`...)
		}
	}
	return append(dst, `</stream:error>`...)
}

// closeTo returns the element that sends the client to another address (RFC
// 7395 §3.6.1). It reports false for what is no absolute URI, and for one that
// is less secure than the connection, which clients must not accept.
func closeTo(uri string, secure bool) (element string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return "", false
	}
	if secure && !strings.EqualFold(u.Scheme, "wss") && !strings.EqualFold(u.Scheme, "https") {
		return "", false
	}
	value, err := xmlframe.EscapeValue(nil, []byte(uri))
	if err != nil {
		return "", false
	}
	return `<close xmlns="` + spaceFraming + `" see-other-uri="` + string(value) + `" />`, true
}

// closing reports whether a frame of the backend is a <close/>, and returns
// it as clients know it.
func closing(frame []byte, secure bool) (element string, ok bool) {
	if !bytes.HasPrefix(frame, []byte("<close")) {
		return "", false // nearly all
	}
	e, err := xmlframe.ParseElement(frame, false, &xmlframe.Limits{MaxBytes: len(frame)})
	if err != nil || !e.Name.Is(spaceFraming, "close") {
		return "", false
	}
	uri, _ := e.Attr("", "see-other-uri")
	if element, ok := closeTo(uri, secure); ok {
		return element, true
	}
	return closeElement, true
}

// isSuccess reports whether a frame of the backend tells that the client is
// authenticated, so that a restart follows (RFC 6120 §6.4.6).
func isSuccess(frame []byte) bool {
	name := frame[:max(0, bytes.IndexAny(frame, " \t\r\n/>"))]
	if !bytes.HasSuffix(name, []byte("success")) {
		return false // nearly all
	}
	e, err := xmlframe.ParseElement(frame, false, &xmlframe.Limits{MaxBytes: len(frame)})
	return err == nil && e.Name.Is(spaceSASL, "success")
}

// trim takes off white space around an element: no message begins with any
// (RFC 7395 §3.3.3), and none consists of it (§3.8).
func trim(frame []byte) []byte { return bytes.Trim(frame, " \t\r\n") }
