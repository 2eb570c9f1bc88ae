package bus

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBadCommands(t *testing.T) {
	long := strings.Repeat("x", 201)
	refusalOf := func(code Code, text string) string {
		return string(errorMessage([]byte("1"), &Error{Code: code, Text: text}))
	}
	for _, tt := range []struct{ name, sent, want string }{
		{"nothing", ``, `{"type":"error","code":"bad-request","message":"not JSON"}`},
		{"half an object", `{"op":"subscribe","ref":1`, `{"type":"error","code":"bad-request","message":"not JSON"}`},
		{"two objects", `{"ref":1}{}`, `{"type":"error","code":"bad-request","message":"not JSON"}`},
		{"not UTF-8", "{\"op\":\"\xff\"}", `{"type":"error","code":"bad-request","message":"not UTF-8"}`},
		{"an array", `[1]`, `{"type":"error","code":"bad-request","message":"not an object"}`},
		{"an empty object", `{}`, `{"type":"error","code":"bad-request","message":"op is missing"}`},
		{"a ref that is an object", `{"op":"publish","ref":{}}`, `{"type":"error","code":"bad-request","message":"ref is neither a number nor a string"}`},
		{"a ref that is too long", `{"op":"publish","ref":"` + long + `"}`, `{"type":"error","code":"bad-request","message":"ref is longer than 200 bytes"}`},
		{"an unknown op", `{"op":"shout","ref":1}`, refusalOf(BadRequest, "op is unknown")},
		{"an op that is a number, and the ref after it", `{"op":5,"ref":1}`, refusalOf(BadRequest, "op is not a string")},
		{"names in another case are unknown members", `{"OP":"publish","ref":1}`, refusalOf(BadRequest, "op is missing")},
		{"no topic", `{"op":"subscribe","ref":1}`, refusalOf(BadRequest, "topic is missing or empty")},
		{"an empty topic", `{"op":"subscribe","topic":"","ref":1}`, refusalOf(BadRequest, "topic is missing or empty")},
		{"a topic that is null", `{"op":"subscribe","topic":null,"ref":1}`, refusalOf(BadRequest, "topic is not a string")},
		{"a topic that is too long", `{"op":"subscribe","topic":"` + long + `","ref":1}`, refusalOf(BadRequest, "topic is longer than 200 bytes")},
		{"a topic with a control character", `{"op":"subscribe","topic":"a\u0085","ref":1}`, refusalOf(BadRequest, "topic has a control character")},
		{"publish without data", `{"op":"publish","topic":"t","ref":1}`, refusalOf(BadRequest, "data is missing")},
		{"an id that is a number", `{"op":"publish","topic":"t","data":1,"id":1,"ref":1}`, refusalOf(BadRequest, "id is not a string")},
		{"an id that is too long", `{"op":"publish","topic":"t","data":1,"id":"` + long + `","ref":1}`, refusalOf(BadRequest, "id is longer than 200 bytes")},
		{"a key that is too long", `{"op":"publish","topic":"t","data":1,"key":"` + long + `","ref":1}`, refusalOf(BadRequest, "key is longer than 200 bytes")},
		{"since that is a number", `{"op":"subscribe","topic":"t","since":1,"ref":1}`, refusalOf(BadRequest, "since is not an object")},
		{"since without an epoch", `{"op":"subscribe","topic":"t","since":{"offset":1},"ref":1}`, refusalOf(BadRequest, "since needs epoch and offset")},
		{"an offset below zero", `{"op":"subscribe","topic":"t","since":{"epoch":"e","offset":-1},"ref":1}`, refusalOf(BadRequest, "offset is not an integer from 0 to 2^53-1")},
		{"an offset that is 2^53", `{"op":"subscribe","topic":"t","since":{"epoch":"e","offset":9007199254740992},"ref":1}`, refusalOf(BadRequest, "offset is not an integer from 0 to 2^53-1")},
		{"history that is a fraction", `{"op":"subscribe","topic":"t","history":1.5,"ref":1}`, refusalOf(BadRequest, "history is not an integer from 0 to 2^53-1")},
		{"since and history", `{"op":"subscribe","topic":"t","history":1,"since":{"epoch":"e","offset":1},"ref":1}`, refusalOf(BadRequest, "since and history exclude each other")},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			p := newHouse(t, nil).join()
			p.send(tt.sent)
			p.want("refused", tt.want)
			p.send(`{"op":"subscribe","topic":"t"}`)
			p.want("the session lives", subscribed(0, true))
		}))
	}
}

func TestGoodCommands(t *testing.T) {
	for sent, want := range map[string]command{
		` { "op" : "publish" , "topic":"a\u0062\"","data": {"x": [1, "}\\\""] } ,"id":"i","key":"k","ref":-1.5e3}`: {
			op: "publish", topic: `ab"`, data: []byte(`{"x": [1, "}\\\""] }`), id: "i", key: "k", ref: []byte("-1.5e3"), history: -1},
		"{\"data\":[1,\n\"a b\"],\"presence\":{\r\n}}":                                           {data: []byte(`[1,"a b"]`), presence: []byte("{}"), history: -1},
		`{"since":{"offset":9007199254740991,"more":[{}],"epoch":"e"},"history":0,"x":{"op":1}}`: {since: &Position{"e", maxInteger}},
		`{"history":4294967296,"op":"\u0061","o\u0070":"b"}`:                                     {history: 1<<31 - 1, op: "b"},
		"{}\n": {history: -1},
	} {
		got, err := parseCommand([]byte(sent))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", sent, got, err, want)
		}
	}
}

// FuzzParseCommand compares with encoding/json, and wants every answer that is
// made of a command's parts to be JSON.
func FuzzParseCommand(f *testing.F) {
	f.Add([]byte(`{"op":"publish","topic":"t","data":{"a":[1,"}"]},"id":"x","ref":"r"}`))
	f.Add([]byte(` {"op":"subscribe","topic":"\ud800","since":{"epoch":"e","offset":7},"presence":null} `))
	f.Add([]byte(`{"a":"\\\"","b":[[{}],-1e9],"ref":1}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := parseCommand(p)
		var all map[string]json.RawMessage
		if json.Unmarshal(p, &all) != nil || !utf8.Valid(p) {
			if err == nil {
				t.Fatalf("accepted %q", p)
			}
			return
		}
		if e := errorMessage(c.ref, badRequest(c.topic)); !json.Valid(e) {
			t.Fatalf("answered %q", e)
		}
		if err != nil {
			return
		}
		var topic, op string
		json.Unmarshal(all["topic"], &topic)
		json.Unmarshal(all["op"], &op)
		if c.topic != topic || c.op != op || (c.data == nil) != (all["data"] == nil) {
			t.Fatalf("%q gave %+v", p, c)
		}
		if c.data == nil {
			return
		}
		m := Message{Position: Position{"e", 1}, Key: c.key, Data: c.data}.encoded(c.topic)
		var out struct {
			Topic, Key string
			Data       json.RawMessage
		}
		if err := json.Unmarshal(m.payload, &out); err != nil {
			t.Fatalf("%q: %v", m.payload, err)
		}
		if out.Topic != c.topic || out.Key != c.key || string(out.Data) != string(m.Data) || strings.ContainsAny(string(m.payload), "\r\n") {
			t.Fatalf("encoded %+v as %s", c, m.payload)
		}
	})
}
