package bosh

import (
	"fmt"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/transport"
)

const (
	jsonNamespace = "urn:xmpp:json:0" // XEP-0335
	jsonStart     = "<json xmlns='" + jsonNamespace + "'>"
	jsonEnd       = "</json>"
)

// appendPayload writes a frame as a child of <body/>: an element as it is,
// anything else as the JSON value that it must be.
func appendPayload(dst, frame []byte) []byte {
	if len(frame) > 0 && frame[0] == '<' {
		return append(dst, frame...)
	}
	dst = append(dst, jsonStart...)
	dst = appendText(dst, frame, false)
	return append(dst, jsonEnd...)
}

// appendText writes text so that it is safe in an element or, quoted with ', in
// an attribute. Characters that XML cannot carry at all (XML 1.0 §2.2) become
// JSON escapes: of what we write, only strings in JSON may have them, and
// there the escape means the same. Bytes that are no UTF-8 become U+FFFD.
func appendText(dst, text []byte, quoted bool) []byte {
	done := 0
	for i := 0; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRune(text[i:])
		}
		if escape := escapeOf(c, n, quoted); escape != "" {
			dst = append(dst, text[done:i]...)
			dst = append(dst, escape...)
			done = i + n
		}
		i += n
	}
	return append(dst, text[done:]...)
}

// escapeOf returns how a character of n bytes is written; "" for as it is.
func escapeOf(c rune, n int, quoted bool) string {
	switch {
	case c == '&':
		return "&amp;"
	case c == '<':
		return "&lt;"
	case c == '>':
		return "&gt;" // for ]]>
	case c == '\'' && quoted:
		return "&#39;"
	case c == '\r', (c == '\n' || c == '\t') && quoted:
		// A parser would make \n of \r, and in an attribute, a space of all.
		return fmt.Sprintf("&#%d;", c)
	case c < ' ' && c != '\n' && c != '\t', c == 0xFFFE, c == 0xFFFF:
		return fmt.Sprintf(`\u%04x`, c)
	case c == utf8.RuneError && n == 1:
		return "\uFFFD"
	}
	return ""
}

// payloadSize guesses how long the frames will be on the wire.
func payloadSize(frames []transport.Frame) int {
	n := 0
	for _, f := range frames {
		n += len(f.Data) + len(f.Data)/8 + len(jsonStart) + len(jsonEnd)
	}
	return n
}
