package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/transport"
)

// maxNumber is the largest integer that JavaScript holds without loss.
const maxNumber = 1<<53 - 1

// Object is what a client sends (section 2).
type Object struct {
	Session  string            `json:"session"`
	Key      string            `json:"key"`
	Token    string            `json:"token"`
	To       string            `json:"to"`
	First    uint64            `json:"first"`
	Messages []json.RawMessage `json:"messages"`
	Ack      uint64            `json:"ack"`
	Attach   uint64            `json:"attach"`
	Wait     *uint16           `json:"wait"` // seconds
	End      bool              `json:"end"`
}

// Parse reads an object. Every error is a bad-request.
func Parse(data []byte) (*Object, error) {
	if n, ok := bareAck(data); ok {
		return &Object{Ack: n}, nil
	}
	if !utf8.Valid(data) {
		return nil, badRequest("not UTF-8")
	}
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, badRequest(explain(err))
	}
	if !isObject(data) {
		return nil, badRequest("not a JSON object")
	}
	for _, n := range []struct {
		name  string
		value uint64
	}{{"first", o.First}, {"ack", o.Ack}, {"attach", o.Attach}} {
		if n.value > maxNumber {
			return nil, badRequest(n.name + " is above 2^53-1")
		}
	}
	return &o, nil
}

// bareAck reads {"ack":n} as our clients write it, which is most of what they
// have to say. Everything else is left to Parse.
func bareAck(data []byte) (n uint64, ok bool) {
	const before, after = `{"ack":`, `}`
	digits := len(data) - len(before) - len(after)
	if digits < 1 || digits > 15 || string(data[:len(before)]) != before || string(data[len(data)-len(after):]) != after {
		return 0, false
	}
	for _, c := range data[len(before) : len(before)+digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, digits == 1 || data[len(before)] != '0'
}

// isObject tells an object from null, which Unmarshal takes for nothing.
func isObject(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

// explain says what is wrong with the JSON, without the names of our types.
func explain(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Sprintf("member %q cannot be a %s", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return "not a JSON object but a " + wrongType.Value
	}
	return "not JSON: " + err.Error()
}

// frames returns the messages as frames of the session's stream.
func (o *Object) frames() []transport.Frame {
	frames := make([]transport.Frame, len(o.Messages))
	for i, m := range o.Messages {
		frames[i].Data = m
	}
	return frames
}

// ---- what the server sends

// AppendAnswer appends the object for a response to a pull. Without numbers,
// ack and first are left out: the carrier keeps the order itself.
func AppendAnswer(dst []byte, r transport.Response, numbers bool) []byte {
	size := 64
	for _, f := range r.Frames {
		size += len(f.Data) + 1
	}
	w := writer{dst: append(slices.Grow(dst, size), '{')}
	if numbers {
		w.number("ack", r.Ack)
		w.number("first", r.First)
	}
	if len(r.Frames) > 0 {
		w.messages(r.Frames)
	}
	if r.Replaced {
		w.raw("replaced", "true")
	}
	if r.End != nil {
		w.end(r.End)
	}
	return append(w.dst, '}')
}

// AppendAck appends the answer to messages.
func AppendAck(dst []byte, ack uint64) []byte {
	w := writer{dst: append(dst, '{')}
	w.number("ack", ack)
	return append(w.dst, '}')
}

// AppendEnd appends the news that the session is over.
func AppendEnd(dst []byte, t *transport.Termination) []byte {
	w := writer{dst: append(dst, '{')}
	w.end(t)
	return append(w.dst, '}')
}

// appendCreated appends the answer to a creation.
func appendCreated(dst []byte, s *transport.Session, o *Options, ack uint64) []byte {
	p := s.Params()
	w := writer{dst: append(dst, '{')}
	w.string("session", s.ID())
	w.string("key", p.Secret)
	if o.Guard != nil {
		user, expires := o.Guard.Who(s)
		if user != "" {
			w.string("user", user)
		}
		if !expires.IsZero() {
			w.seconds("expires", max(0, time.Until(expires)))
		}
	}
	w.seconds("wait", p.Wait)
	w.seconds("inactivity", p.Inactivity)
	w.seconds("ping", o.Ping)
	w.raw("limits", fmt.Sprintf(`{"body":%d,"window":%d,"outbox":%d}`, o.MaxBody, p.Requests, p.MaxOutbox))
	w.number("ack", ack)
	w.number("first", 1)
	return append(w.dst, '}')
}

// writer appends the members of one object. The objects are few and flat, and
// messages are copied as they are, so this is both simple and cheap.
type writer struct {
	dst   []byte
	wrote bool
}

func (w *writer) name(name string) {
	if w.wrote {
		w.dst = append(w.dst, ',')
	}
	w.wrote = true
	w.dst = append(w.dst, '"')
	w.dst = append(w.dst, name...)
	w.dst = append(w.dst, '"', ':')
}

func (w *writer) raw(name, value string) {
	w.name(name)
	w.dst = append(w.dst, value...)
}

func (w *writer) number(name string, n uint64) {
	w.name(name)
	w.dst = strconv.AppendUint(w.dst, n, 10)
}

func (w *writer) seconds(name string, d time.Duration) {
	w.number(name, uint64(d/time.Second))
}

func (w *writer) string(name, s string) {
	w.name(name)
	w.dst = appendString(w.dst, s)
}

func (w *writer) messages(frames []transport.Frame) {
	w.name("messages")
	w.dst = append(w.dst, '[')
	for i, f := range frames {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = appendMessage(w.dst, f.Data)
	}
	w.dst = append(w.dst, ']')
}

func (w *writer) end(t *transport.Termination) {
	w.name("end")
	e := writer{dst: append(w.dst, '{')}
	e.string("code", string(t.Condition))
	if t.Text != "" {
		e.string("message", t.Text)
	}
	if t.URI != "" {
		e.string("uri", t.URI)
	}
	e.raw("retry", strconv.FormatBool(t.Condition.Retry()))
	w.dst = append(e.dst, '}')
}

// appendMessage appends a frame as a JSON value. Frames are JSON already,
// save those of clients and backends that speak XML: these become strings.
func appendMessage(dst, data []byte) []byte {
	switch {
	case len(data) == 0:
		return append(dst, "null"...)
	case data[0] == '<':
		return appendString(dst, string(data))
	}
	return append(dst, data...)
}

func appendString(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // strings always marshal
	}
	return append(dst, b...)
}
