package main

import (
	"slices"
	"testing"
)

func TestScanner(t *testing.T) {
	stream := `<?xml version='1.0'?> <stream:stream to='im.example' a="'>">` + ` <presence/>
<iq type='get' id="1"><q a='/>'><![CDATA[</iq>]]></q></iq><message><body>a</body></message></stream:stream>`
	want := []string{
		`<stream:stream to='im.example' a="'>">`, `<presence/>`,
		`<iq type='get' id="1"><q a='/>'><![CDATA[</iq>]]></q></iq>`,
		`<message><body>a</body></message>`, `</stream:stream>`,
	}
	// However it is cut, it is the same.
	for piece := 1; piece <= len(stream); piece++ {
		var s scanner
		var got []string
		var rest []byte
		for i := 0; i < len(stream); i += piece {
			rest = append(rest, stream[i:min(i+piece, len(stream))]...)
			for {
				element, size := s.next(rest)
				if size == 0 {
					break
				}
				if len(element) > 0 {
					got = append(got, string(element))
				}
				rest = rest[size:]
			}
		}
		if !slices.Equal(got, want) || !s.ended {
			t.Fatalf("in pieces of %d: %q", piece, got)
		}
	}
}

func TestParts(t *testing.T) {
	const e = `<iq type='get' id="a1"><query xmlns='x'>text</query></iq>`
	for got, want := range map[string]string{
		name([]byte(e)): "iq", name([]byte("<auth/>")): "auth", name([]byte("</stream:stream>")): "/stream:stream",
		attribute([]byte(e), "id"): "a1", attribute([]byte(e), "type"): "get", attribute([]byte(e), "xmlns"): "",
		text([]byte("<a b='c'>text</a>")): "text",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(`<a><b>c</b></a></s>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s scanner
		for {
			element, size := s.next(data)
			if size == 0 {
				return
			}
			if len(element) > size || size > len(data) {
				t.Fatalf("%d bytes of %d, an element of %d", size, len(data), len(element))
			}
			if len(element) > 0 && !s.ended {
				name(element)
				attribute(element, "id")
				text(element)
			}
			data = data[size:]
		}
	})
}
