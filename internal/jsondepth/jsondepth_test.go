package jsondepth

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestExceeds(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct {
		name, json string
		max        int
		want       bool
	}{
		{"a number", `1`, 0, false},
		{"an object", `{}`, 0, true},
		{"as deep as allowed", deep(128), 128, false},
		{"one more", deep(129), 128, true},
		{"many, side by side", `[` + strings.Repeat(`{},`, 500) + `1]`, 2, false},
		{"brackets in strings", `["[[[[[[[["]`, 1, false},
		{"behind a quote in a string", `["\"[[[[", "\\", {}]`, 1, true},
		{"objects and arrays", `{"a":[{"b":[1]}]}`, 3, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Exceeds([]byte(test.json), test.max); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// What it says of JSON is what a parser finds.
func FuzzExceeds(f *testing.F) {
	f.Add([]byte(`{"a":[1,"\"{",{}]}`), 2)
	f.Add([]byte(`[[[]]]`), 3)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		if limit &= 15; !json.Valid(data) {
			Exceeds(data, limit)
			return
		}
		deepest, depth := 0, 0
		for d := json.NewDecoder(bytes.NewReader(data)); ; {
			token, err := d.Token()
			if err != nil {
				break
			}
			if c, ok := token.(json.Delim); ok && (c == '[' || c == '{') {
				depth++
				deepest = max(deepest, depth)
			} else if ok {
				depth--
			}
		}
		if got := Exceeds(data, limit); got != (deepest > limit) {
			t.Errorf("%q is %d deep; above %d: %v", data, deepest, limit, got)
		}
	})
}
