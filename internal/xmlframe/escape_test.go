package xmlframe

import "testing"

func TestEscape(t *testing.T) {
	for _, c := range []struct{ name, in, text, value string }{
		{"nothing", "", "", ""},
		{"plain text stays", "a ä 😀 \u007f", "a ä 😀 \u007f", "a ä 😀 \u007f"},
		{"markup", "<a>&]]>", "&lt;a&gt;&amp;]]&gt;", "&lt;a&gt;&amp;]]&gt;"},
		{"quotes matter in values only", `"'`, `"'`, `&quot;&apos;`},
		{"a carriage return would be lost", "a\r\nb", "a&#13;\nb", "a&#13;&#10;b"},
		{"tabs and line feeds matter in values only", "\t\n", "\t\n", "&#9;&#10;"},
		{"U+FFFD is a character like others", "\uFFFD", "\uFFFD", "\uFFFD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := EscapeText([]byte("|"), []byte(c.in))
			if string(text) != "|"+c.text || err != nil {
				t.Errorf("text is %q, %v", text, err)
			}
			value, err := EscapeValue([]byte("|"), []byte(c.in))
			if string(value) != "|"+c.value || err != nil {
				t.Errorf("value is %q, %v", value, err)
			}
		})
	}
}

func TestEscapeRefusesWhatXMLCannotCarry(t *testing.T) {
	for _, c := range []struct {
		name, in string
		kind     Kind
	}{
		{"U+0000", "ab\x00", Malformed},
		{"a control character", "ab\x1b", Malformed},
		{"U+FFFE", "ab\ufffe", Malformed},
		{"bad UTF-8", "ab\xff", BadEncoding},
		{"a character cut short", "ab\xe2\x82", BadEncoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range []func(dst, text []byte) ([]byte, error){EscapeText, EscapeValue} {
				got, err := f([]byte("|"), []byte(c.in))
				wantKind(t, err, c.kind)
				if string(got) != "|" {
					t.Errorf("something was appended: %q", got)
				}
				if e, ok := err.(*Error); !ok || e.Offset != 2 {
					t.Errorf("offset is wrong: %v", err)
				}
			}
		})
	}
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		kind           Kind
	}{
		{"no content", `<a/>`, "", 0},
		{"empty content", `<a b='>'></a >`, "", 0},
		{"text", `<json xmlns='urn:xmpp:json:0'>{"a":"b"}</json>`, `{"a":"b"}`, 0},
		{"references", `<a>&lt;&#65;&#x1F600;&amp;lt;</a>`, "<A😀&lt;", 0},
		{"CDATA", `<a>x<![CDATA[<&amp;]]>]]&gt;<![CDATA[]]></a>`, "x<&amp;]]>", 0},
		{"line ends are normalised", "<a>1\r\n2\r3\n4\r\r\n5\r</a>", "1\n2\n3\n4\n\n5\n", 0},
		{"line ends in CDATA too", "<a><![CDATA[1\r\n2\r]]></a>", "1\n2\n", 0},
		{"line ends by reference stay", "<a>1&#13;\n2\r&#10;</a>", "1\r\n2\n\n", 0},
		{"white space stays", "<a> \t\n</a>", " \t\n", 0},
		{"an element is refused", `<a>x<b/></a>`, "", NotText},
		{"a '<' in CDATA is no element", `<a><![CDATA[<b/>]]></a>`, "<b/>", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(t, "<body>"+c.in+"</body>").Children[0].AppendText([]byte("|"))
			wantKind(t, err, c.kind)
			if string(got) != "|"+c.want {
				t.Errorf("text is %q, want %q", got, "|"+c.want)
			}
			e, err := ParseElement([]byte(c.in), false, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err = e.AppendText(nil)
			wantKind(t, err, c.kind)
			if string(got) != c.want {
				t.Errorf("text of the element is %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzEscape: what was escaped is read back as it was.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a<b>&\"'\t\r\n", "]]>😀", "\x00", "\xff", "\r\n\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		text, err := EscapeText(nil, in)
		value, err2 := EscapeValue(nil, in)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v but %v", err, err2)
		}
		if err != nil {
			return
		}
		doc := "<a b='" + string(value) + "' c=\"" + string(value) + "\">" + string(text) + "</a>"
		e, err := ParseElement([]byte(doc), false, &Limits{MaxBytes: 1 << 30})
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		if got, err := e.AppendText(nil); err != nil || string(got) != string(in) {
			t.Errorf("text %q comes back as %q, %v", in, got, err)
		}
		for _, a := range e.Attrs {
			if a.Value != string(in) {
				t.Errorf("value %q comes back as %q", in, a.Value)
			}
		}
	})
}
