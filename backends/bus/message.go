package bus

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// A Message is a message in a topic. It is never modified.
type Message struct {
	Position
	Key  string
	User string // who published it; empty: nobody in particular, or it is not shown
	Data json.RawMessage
	// Receipt, if set, is who wants to know of those who have got it.
	Receipt *ReceiptRequest

	// payload is the message as subscribers get it, Data being a part of it;
	// nil until it was encoded.
	payload []byte
}

// encoded returns the message with its payload, which is made once and shared
// by history and by all subscribers.
func (m Message) encoded(topic string) Message {
	if m.payload != nil {
		return m
	}
	b := make([]byte, 0, len(`{"type":"message","topic":"","offset":,"key":"","user":"","data":}`)+len(topic)+20+len(m.Key)+len(m.User)+len(m.Data))
	b = append(b, `{"type":"message","topic":`...)
	b = appendString(b, topic)
	b = append(b, `,"offset":`...)
	b = strconv.AppendUint(b, m.Offset, 10)
	if m.Key != "" {
		b = append(b, `,"key":`...)
		b = appendString(b, m.Key)
	}
	if m.User != "" {
		b = append(b, `,"user":`...)
		b = appendString(b, m.User)
	}
	b = append(b, `,"data":`...)
	at := len(b)
	b = append(b, m.Data...)
	m.Data = b[at:len(b):len(b)]
	m.payload = append(b, '}')
	return m
}

// answer begins a message of the server that answers one of the client; ref
// may be empty.
func answer(kind string, ref []byte, topic string) []byte {
	b := append([]byte(nil), `{"type":"`...)
	b = append(b, kind...)
	b = append(b, '"')
	if len(ref) > 0 {
		b = append(b, `,"ref":`...)
		b = append(b, ref...)
	}
	if topic != "" {
		b = append(b, `,"topic":`...)
		b = appendString(b, topic)
	}
	return b
}

func appendPosition(b []byte, p Position) []byte {
	b = append(b, `,"epoch":`...)
	b = appendString(b, p.Epoch)
	b = append(b, `,"offset":`...)
	return strconv.AppendUint(b, p.Offset, 10)
}

func droppedMessage(topic string, upTo Position) []byte {
	return append(appendPosition(answer("dropped", nil, topic), upTo), '}')
}

func errorMessage(ref []byte, e *Error) []byte {
	b := append(answer("error", ref, ""), `,"code":`...)
	b = appendString(b, string(e.Code))
	b = append(b, `,"message":`...)
	b = appendString(b, e.Text)
	return append(b, '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // what is no UTF-8 becomes U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
