package bosh

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

// FuzzParse checks what must hold for any body: it is refused with one of two
// conditions, or all of it is within its bounds and each payload stands alone.
func FuzzParse(f *testing.F) {
	const open = "<body xmlns='" + namespace + "' rid='5'"
	for _, seed := range []string{
		"", open + "/>", open + " sid='x' ack='4' wait='5' hold='1' pause='3' ver='1.6' to='a' type='terminate' content='text/xml'/>",
		open + "><a/><b xmlns='u'>t</b><json xmlns='" + jsonNamespace + "'>{\"a\":[1,\"&lt;\"]}</json></body>",
		"<p:body xmlns:p='" + namespace + "' rid='9007199254740991' xmlns='u' xml:lang='en'><p:a p:b='1'/><a/></p:body>",
		open + "><json xmlns='" + jsonNamespace + "'><![CDATA[1]]></json></body>", open + "><!-- x --></body>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		req, err := parse(data, &xmlframe.Limits{}, nil)
		if string(data) != before {
			t.Fatal("the input was changed")
		}
		if err != nil {
			var r *refusal
			if !errors.As(err, &r) || r.condition != badRequest && r.condition != policyViolation || r.reason == "" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, n := range []number{req.rid, req.ack, req.wait, req.hold, req.pauseFor} {
			if n.value > maxInteger {
				t.Errorf("number %d", n.value)
			}
		}
		if req.rid.value == 0 {
			t.Error("no rid")
		}
		for _, frame := range req.frames {
			if !utf8.Valid(frame.Data) {
				t.Errorf("payload %q is no UTF-8", frame.Data)
			}
			switch {
			case len(frame.Data) == 0:
				t.Error("empty payload")
			case frame.Data[0] != '<':
				if !json.Valid(frame.Data) {
					t.Errorf("payload %q is no JSON", frame.Data)
				}
			default:
				if _, err := xmlframe.ParseElement(frame.Data, false, nil); err != nil && !xmlframe.KindOf(err).Limit() {
					t.Errorf("payload %q does not stand alone: %v", frame.Data, err)
				}
			}
		}
	})
}

// FuzzAttributes checks numbers and versions against other readings of them.
func FuzzAttributes(f *testing.F) {
	for _, seed := range []string{"0", " 9007199254740991\n", "9007199254740992", "-1", "+1", "1.6", "1.10", "1.", "٣", "00000000000000001", "1e3"} {
		f.Add(seed)
	}
	const number = `[ \t\r\n]*([0-9]{1,16})[ \t\r\n]*`
	integers, versions := regexp.MustCompile(`^`+number+`$`), regexp.MustCompile(`^`+number+`\.`+number+`$`)
	read := func(s string) (n uint64, ok bool) {
		n, err := strconv.ParseUint(s, 10, 53)
		return n, err == nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseInteger(text)
		var want uint64
		wantOK := false
		if m := integers.FindStringSubmatch(text); m != nil {
			want, wantOK = read(m[1])
		}
		if ok != wantOK || ok && n != want {
			t.Errorf("%q is %d, %v; want %d, %v", text, n, ok, want, wantOK)
		}
		v, ok := parseVersion(text)
		var wantVersion version
		wantOK = false
		if m := versions.FindStringSubmatch(text); m != nil {
			var both [2]bool
			wantVersion.major, both[0] = read(m[1])
			wantVersion.minor, both[1] = read(m[2])
			wantOK = both[0] && both[1]
		}
		if ok != wantOK || ok && v != wantVersion {
			t.Errorf("%q is version %v, %v; want %v, %v", text, v, ok, wantVersion, wantOK)
		}
	})
}

// FuzzPayload checks that a JSON value comes back from what we write, and that
// whatever a backend sends, the XML is well formed.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{`"a<b>&'\""`, "[1,\r\n\t2]", "\"\ufffe\uffff\u2028\"", "\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 0 && frame[0] == '<' {
			return
		}
		var element struct {
			Text string `xml:",chardata"`
		}
		written := appendPayload(nil, frame)
		if err := xml.Unmarshal(written, &element); err != nil {
			t.Fatalf("%q is written as %q: %v", frame, written, err)
		}
		var sent, got any
		if json.Unmarshal(frame, &sent) != nil {
			return
		}
		if err := json.Unmarshal([]byte(element.Text), &got); err != nil {
			t.Fatalf("%q is read as %q: %v", frame, element.Text, err)
		}
		a, _ := json.Marshal(sent)
		b, _ := json.Marshal(got)
		if string(a) != string(b) {
			t.Errorf("%s is read as %s", a, b)
		}
	})
}

func TestParseKeepsNothing(t *testing.T) {
	data := []byte("<body xmlns='" + namespace + "' rid='5' sid='abc' to='x.test'>" +
		"<a xmlns='u'>one</a><json xmlns='" + jsonNamespace + "'>\"two\"</json></body>")
	req, err := parse(data, &xmlframe.Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = '#'
	}
	got := req.sid + req.to
	for _, f := range req.frames {
		got += string(f.Data)
	}
	if strings.Contains(got, "#") {
		t.Errorf("the result changes with the input: %q", got)
	}
}

func TestVersion(t *testing.T) {
	tests := []struct{ asked, want string }{
		{"1.6", "1.6"}, {" 1.6 ", "1.6"}, {"01.06", "1.6"}, {"0.9", "0.9"}, {"1.11", "1.11"}, {"1.12", "1.11"}, {"10.0", "1.11"},
		{"1", ""}, {"1.", ""}, {".6", ""}, {"1.6.1", ""}, {"-1.6", ""}, {"", ""},
	}
	for _, test := range tests {
		v, ok := parseVersion(test.asked)
		if ok != (test.want != "") || ok && v.lower() != test.want {
			t.Errorf("%q: got %q, %v", test.asked, v.lower(), ok)
		}
	}
}
