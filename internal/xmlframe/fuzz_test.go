package xmlframe

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// roomy lets the rules decide what the fuzzer's inputs are, not the limits.
var roomy = &Limits{MaxBytes: 1 << 30, MaxDepth: 1 << 20, MaxAttributes: 1000, MaxNamespaces: 1 << 20, MaxChildren: 1 << 20}

// decoded is what encoding/xml makes of an element directly in the root.
type decoded struct {
	start, end int64
	name       xml.Name
	lang       *string  // its xml:lang, if it has one
	tokens     []string // every start and end in it, with expanded names
}

// decode has encoding/xml read a document.
func decode(doc []byte) (root xml.Name, children []decoded, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	depth := 0
	for {
		before := d.InputOffset()
		tok, err := d.Token()
		if err == io.EOF {
			return root, children, nil
		}
		if err != nil {
			return root, children, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch depth {
			case 0:
				root = tok.Name
			case 1:
				children = append(children, decoded{start: before, name: tok.Name})
				for _, a := range tok.Attr {
					if a.Name.Space == spaceXML && a.Name.Local == "lang" {
						children[len(children)-1].lang = &a.Value
					}
				}
			}
			if depth > 0 {
				c := &children[len(children)-1]
				c.tokens = append(c.tokens, expanded(tok, depth > 1))
			}
			depth++
		case xml.EndElement:
			depth--
			if depth > 0 {
				c := &children[len(children)-1]
				c.tokens = append(c.tokens, "/")
				c.end = d.InputOffset()
			}
		case xml.CharData:
			if depth > 1 {
				c := &children[len(children)-1]
				c.tokens = append(c.tokens, "text "+string(tok))
			}
		}
	}
}

// expanded writes a start tag with expanded names and without declarations.
// The language is left out on a child itself, where it may be inherited.
func expanded(e xml.StartElement, lang bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{%s}%s", normal(e.Name.Space), e.Name.Local)
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" ||
			!lang && a.Name.Space == spaceXML && a.Name.Local == "lang" {
			continue
		}
		fmt.Fprintf(&b, " {%s}%s=%q", normal(a.Name.Space), a.Name.Local, a.Value)
	}
	return b.String()
}

// normal does to a value what encoding/xml leaves undone (XML 1.0 §3.3.3).
func normal(s string) string {
	return strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(s)
}

// beyondDecoder reports whether encoding/xml refuses doc for a reason it does
// not share with the fifth edition of XML 1.0: it knows the names of the
// fourth, which lists the characters of Unicode 2.0 one by one.
func beyondDecoder(doc []byte, err error) bool {
	return strings.Contains(err.Error(), "invalid XML name") &&
		bytes.ContainsFunc(doc, func(r rune) bool { return r >= utf8.RuneSelf })
}

// FuzzAgainstDecoder: what we accept, encoding/xml accepts too, and it finds
// the same elements in the same places. The reverse does not hold.
func FuzzAgainstDecoder(f *testing.F) {
	f.Fuzz(againstDecoder)
}

func againstDecoder(t *testing.T, doc []byte) {
	ours, err := Parse(doc, roomy)
	if err != nil {
		if KindOf(err) == 0 {
			t.Fatalf("error without a kind: %v", err)
		}
		return
	}
	root, theirs, err := decode(doc)
	if err != nil {
		if beyondDecoder(doc, err) {
			return
		}
		t.Fatalf("accepted what encoding/xml refuses: %v\n%q", err, doc)
	}
	if got := (xml.Name{Space: normal(ours.Name.Space), Local: ours.Name.Local}); got.Local != root.Local || got.Space != normal(root.Space) {
		t.Fatalf("root is %v, for encoding/xml %v\n%q", got, root, doc)
	}
	if len(ours.Children) != len(theirs) {
		t.Fatalf("%d children, for encoding/xml %d\n%q", len(ours.Children), len(theirs), doc)
	}
	for i, their := range theirs {
		our := &ours.Children[i]
		if &our.Raw[0] != &doc[their.start] || len(our.Raw) != int(their.end-their.start) {
			t.Fatalf("child %d is %q, for encoding/xml %q", i, our.Raw, doc[their.start:their.end])
		}
		if our.Name.Local != their.name.Local || normal(our.Name.Space) != normal(their.name.Space) {
			t.Fatalf("child %d is %v, for encoding/xml %v\n%q", i, our.Name, their.name, doc)
		}
		standsAlone(t, doc, ours, our, &their)
	}
}

// standsAlone checks that a child completed means what it meant in its place.
func standsAlone(t *testing.T, doc []byte, root *Document, c *Child, there *decoded) {
	t.Helper()
	alone := c.AppendStandalone(nil)
	if c.Standalone() != bytes.Equal(alone, c.Raw) {
		t.Fatalf("Standalone is %v, but %q became %q", c.Standalone(), c.Raw, alone)
	}
	e, err := ParseElement(alone, false, roomy)
	if err != nil {
		t.Fatalf("%q does not stand alone as %q: %v", c.Raw, alone, err)
	}
	if name, raw, err := CheckElement(alone, false, roomy); err != nil || name != e.Name || !bytes.Equal(raw, e.Raw) {
		t.Fatalf("to check %q says %v, %q, %v", alone, name, raw, err)
	}
	if e.Name != c.Name {
		t.Fatalf("%v alone is %v\n%q\n%q", c.Name, e.Name, doc, alone)
	}
	lang := root.Lang()
	if there.lang != nil {
		lang = *there.lang
	}
	if normal(e.Lang()) != normal(lang) {
		t.Fatalf("language alone is %q, want %q\n%q\n%q", e.Lang(), lang, doc, alone)
	}
	// encoding/xml reads the completed child inside an element that declares
	// nothing, and has to find the same names, attributes and text.
	_, here, err := decode([]byte("<x>" + string(alone) + "</x>"))
	if err != nil || len(here) != 1 {
		t.Fatalf("%q: %v", alone, err)
	}
	if a, b := fmt.Sprint(there.tokens), fmt.Sprint(here[0].tokens); a != b {
		t.Fatalf("%q means\n%s\nbut alone, as %q,\n%s", c.Raw, a, alone, b)
	}
	// Renaming keeps it well-formed, whatever is renamed to what.
	for _, from := range append([]Namespace{{}}, root.Namespaces...) {
		for _, to := range append([]Namespace{{}, {Space: "jabber:client"}}, root.Namespaces...) {
			alone = c.AppendStandalone(alone[:0], Rename{from.Space, to.Space})
			if _, err := ParseElement(alone, false, roomy); err != nil {
				t.Fatalf("with %q for %q, %q became %q: %v", to.Space, from.Space, c.Raw, alone, err)
			}
		}
	}
}

// FuzzChunking: what a splitter finds does not depend on how the bytes were
// cut, and is what a document of the same bytes has as children.
func FuzzChunking(f *testing.F) {
	f.Fuzz(chunking)
}

func chunking(t *testing.T, in []byte, size, limit uint8) {
	limits := &Limits{MaxBytes: 16 + int(limit)*4, MaxDepth: 8, MaxAttributes: 8, MaxNamespaces: 16}
	fresh := func() *Splitter { return &Splitter{Limits: limits} }
	whole := record(fresh(), string(in), len(in)+1)
	for _, n := range []int{1, 2, 3, int(size) + 1} {
		if got := record(fresh(), string(in), n); strings.Join(got, "\n") != strings.Join(whole, "\n") {
			t.Fatalf("%q in pieces of %d:\n%s\nbut at once:\n%s", in, n, strings.Join(got, "\n"), strings.Join(whole, "\n"))
		}
	}
	if limit < 255 {
		return
	}
	// A stream that ended is a document, and the other way round.
	ended := len(whole) > 0 && (whole[len(whole)-1] == "end" || len(whole) > 1 && whole[len(whole)-2] == "end" && whole[len(whole)-1] == "space")
	d, err := Parse(in, &Limits{MaxBytes: 1 << 30, MaxDepth: 9, MaxAttributes: 8, MaxNamespaces: 16, MaxChildren: 1 << 20})
	if len(in) < limits.MaxBytes && (err == nil) != ended {
		t.Fatalf("%q: as a document %v, as a stream\n%s", in, err, strings.Join(whole, "\n"))
	}
	if err != nil || !ended {
		return
	}
	var stanzas, children []string
	for _, e := range whole {
		if strings.HasPrefix(e, "stanza ") {
			stanzas = append(stanzas, e)
		}
	}
	for i := range d.Children {
		c := &d.Children[i]
		children = append(children, fmt.Sprintf("stanza %+v %s | %s", c.Name, c.Raw, c.AppendStandalone(nil)))
	}
	if strings.Join(stanzas, "\n") != strings.Join(children, "\n") {
		t.Fatalf("%q as a stream:\n%s\nas a document:\n%s", in, strings.Join(stanzas, "\n"), strings.Join(children, "\n"))
	}
}
