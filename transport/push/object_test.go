package push

import (
	"encoding/json"
	"reflect"
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
		`{"first":1,"messages":["a",{"b":[1,2,null]},1e3]}`, `{"end":true}`, `{"attach":9007199254740992}`, `{"ack":12}`, `{"ack":01}`, "{\"to\":\"\xff\"}",
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
		var plain Object
		if err := json.Unmarshal(data, &plain); err != nil || !reflect.DeepEqual(o, &plain) {
			t.Errorf("%q is %+v, not %+v, %v", data, plain, o, err)
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

// What is read without encoding/json is read as encoding/json would.
func TestBareAcknowledgements(t *testing.T) {
	for data, bare := range map[string]bool{
		`{"ack":0}`: true, `{"ack":7}`: true, `{"ack":42}`: true, `{"ack":999999999999999}`: true,
		`{"ack":9007199254740991}`: false, `{"ack":9007199254740992}`: false, `{"ack":99999999999999999999}`: false,
		`{"ack":}`: false, `{"ack":01}`: false, `{"ack":00}`: false, `{"ack":-1}`: false, `{"ack":1.0}`: false, `{"ack":1e3}`: false,
		`{"ack": 1}`: false, `{"ack":1} `: false, `{"ack":1,"ack":2}`: false, `{"Ack":1}`: false, `{"ack":"1"}`: false, `{"ack":1`: false, `{}`: false, ``: false,
	} {
		n, ok := bareAck([]byte(data))
		if ok != bare {
			t.Errorf("%s: bare %v", data, ok)
		}
		var o Object
		if err := json.Unmarshal([]byte(data), &o); ok && (err != nil || o.Ack != n) {
			t.Errorf("%s: got %d, want %d, %v", data, n, o.Ack, err)
		}
	}
}

func TestOptionsHaveDefaults(t *testing.T) {
	o := (&Options{Ping: time.Second}).withDefaults()
	if o.Ping != time.Second || o.Wait != DefaultWait || o.MaxBody != DefaultMaxBody || o.Window != DefaultWindow || o.Logger == nil {
		t.Errorf("got %+v", o)
	}
}
