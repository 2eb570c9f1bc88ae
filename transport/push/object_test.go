package push

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func TestAnswersOnTheWire(t *testing.T) {
	frames := func(data ...string) (all []transport.Frame) {
		for _, d := range data {
			all = append(all, transport.Frame{Data: []byte(d)})
		}
		return all
	}
	for _, test := range []struct {
		name     string
		response transport.Response
		numbers  bool
		want     string
	}{
		{"nothing to say", transport.Response{First: 4, Ack: 2}, false, `{}`},
		{"nothing to say, with numbers", transport.Response{First: 4, Ack: 2}, true, `{"ack":2,"first":4}`},
		{"messages stand as they are", transport.Response{First: 4, Frames: frames(`{"a": 1}`, `"b"`)}, true, `{"ack":0,"first":4,"messages":[{"a": 1},"b"]}`},
		{"XML becomes a string", transport.Response{Frames: frames(`<a b="c"/>`)}, false, `{"messages":["\u003ca b=\"c\"/\u003e"]}`},
		{"an empty frame becomes null", transport.Response{Frames: frames(``)}, false, `{"messages":[null]}`},
		{"replaced", transport.Response{Replaced: true}, false, `{"replaced":true}`},
		{"the end", transport.Response{End: &transport.Termination{Condition: transport.Overflow, Text: "too \"slow\""}}, false,
			`{"end":{"code":"overflow","message":"too \"slow\"","retry":true}}`},
		{"the cause stays here", transport.Response{End: &transport.Termination{Condition: transport.Internal, Err: transport.ErrFull}}, false,
			`{"end":{"code":"internal","retry":true}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := string(AppendAnswer(nil, test.response, test.numbers))
			if got != test.want || !json.Valid([]byte(got)) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Whatever Parse accepts, encoding/json reads the same, and its messages are
// JSON; whatever it refuses is a bad-request with a reason.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"session":"s","key":"k","attach":1,"ack":2,"wait":3}`,
		`{"first":1,"messages":["a",{"b":[1,2,null]},1e3]}`, `{"end":true}`, `{"attach":9007199254740992}`, "{\"to\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data)
		if err != nil {
			if e := errorOf(err); e.Code != BadRequest || e.Message == "" || !json.Valid(e.Append(nil)) {
				t.Errorf("refused with %+v", e)
			}
			return
		}
		if !json.Valid(data) {
			t.Errorf("accepted %q", data)
		}
		for _, m := range o.Messages {
			if !json.Valid(m) {
				t.Errorf("message %q", m)
			}
		}
		if o.First > maxNumber || o.Ack > maxNumber || o.Attach > maxNumber {
			t.Errorf("number too large in %+v", o)
		}
	})
}

func TestOptionsHaveDefaults(t *testing.T) {
	o := (&Options{Ping: time.Second}).withDefaults()
	if o.Ping != time.Second || o.Wait != DefaultWait || o.MaxBody != DefaultMaxBody || o.Window != DefaultWindow || o.Logger == nil {
		t.Errorf("got %+v", o)
	}
}
