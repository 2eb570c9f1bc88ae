package jetstream

import (
	"reflect"
	"testing"
)

func TestBatch(t *testing.T) {
	b := &batch{id: "id", first: 7, at: -1, items: []item{{data: `{"a":1}`, id: "x", key: "k", user: "u", receipts: "r", origin: "s 1"}, {data: "2"}}}
	got, err := parseBatch(b.append(nil))
	if err != nil || !reflect.DeepEqual(got, b) || got.last() != 8 {
		t.Errorf("got %+v, %v", got, err)
	}
	empty := &batch{id: "id", first: 7}
	if got, err := parseBatch(empty.append(nil)); err != nil || got.last() != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
	whole := b.append(nil)
	for n := range whole {
		if got, err := parseBatch(whole[:n]); err == nil {
			t.Fatalf("the first %d bytes are %+v", n, got)
		}
	}
	whole[0]++
	if _, err := parseBatch(whole); err == nil {
		t.Error("another version is read")
	}
}

// What version 1 stored, byte for byte, has to be read for as long as it is kept; and
// what a later one adds is left out.
func TestBatchOfOtherVersions(t *testing.T) {
	const of1 = "\x01\x02id\x07\x80\xf4\x03\x02" + "\x07{\"a\":1}\x01x\x01k\x01u\x01r\x07s bus 1" + "\x012\x00\x00\x00\x00\x00"
	want := &batch{id: "id", first: 7, at: 32000, items: []item{{data: `{"a":1}`, id: "x", key: "k", user: "u", receipts: "r", origin: "s bus 1"}, {data: "2"}}}
	for name, data := range map[string]string{"version 1": of1, "a later one": of1 + "more"} {
		if got, err := parseBatch([]byte(data)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{"news": "news", "a.b": "a=2Eb", "*": "=2A", "=": "=3D", "": "=", "ä": "=C3=A4", "a b>": "a=20b=3E"} {
		if got := token(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		if got := untoken(want); got != text {
			t.Errorf("%q is of %q, want %q", want, got, text)
		}
	}
}

// What can be read of a batch is written as it was, and no two texts are one token.
func FuzzBatch(f *testing.F) {
	f.Add((&batch{id: "id", first: 1, at: 2, items: []item{{data: "1", id: "x"}}}).append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := untoken(token(string(data))); got != string(data) {
			t.Errorf("%q becomes %q", data, got)
		}
		b, err := parseBatch(data)
		if err != nil {
			return
		}
		if again, err := parseBatch(b.append(nil)); err != nil || !reflect.DeepEqual(again, b) {
			t.Errorf("%+v becomes %+v, %v", b, again, err)
		}
	})
}
