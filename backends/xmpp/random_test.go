package xmpp

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomStanza writes a message with all that XML allows a stanza to have, so
// that each part of it means the same to every reader.
func randomStanza(r *rand.Rand, to string, n int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	q := pick("'", `"`)
	text := func() (b strings.Builder) {
		for range r.IntN(6) {
			b.WriteString(pick("plain", " ", "\n\t", "ü߿ࠀ￼", "😀𐀀", "&amp;", "&lt;", "&#x1F600;", "&#9;", "<![CDATA[<&]]]]>", "<![CDATA[]]>", "&quot;&apos;", ">", `"'`))
		}
		return b
	}
	var element func(depth int) string
	element = func(depth int) string {
		name := pick("a", "b-c", "d.e", "élan")
		var tag, decl string
		switch r.IntN(4) {
		case 0:
			tag, decl = name, fmt.Sprintf(" xmlns='urn:test:%d'", r.IntN(3))
		case 1:
			tag, decl = "p:"+name, fmt.Sprintf(` xmlns:p = "urn:test:%d"`, r.IntN(3))
		case 2:
			tag, decl = name, " xmlns='urn:test:x' xml:lang='"+pick("de", "en-GB", "sr-Latn")+"'"
		default:
			tag, decl = name, " xmlns='urn:test:d'"
		}
		decl += pick("", " k='v'", ` k="a&amp;b &#10; &lt;'"`, "\n k='😀'")
		if r.IntN(4) == 0 {
			return "<" + tag + decl + pick("/>", " />")
		}
		s := "<" + tag + decl + ">"
		for range r.IntN(3) {
			b := text()
			s += b.String()
			if depth < 4 {
				s += element(depth + 1)
			}
		}
		b := text()
		return s + b.String() + "</" + tag + pick("", " ") + ">"
	}
	body := text()
	return fmt.Sprintf("<message %sto=%s%s%s id='%d' type='chat' xmlns='jabber:client'><body>%s</body>%s</message>",
		pick("", "\n "), q, to, q, n, body.String(), element(0))
}

// meaning is what a reader of the namespaces makes of each child of an element,
// however it was written.
func meaning(t *testing.T, stanza string) (children []string) {
	t.Helper()
	var b strings.Builder
	depth := 0
	d := xml.NewDecoder(strings.NewReader(stanza))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return children
		}
		if err != nil {
			t.Fatalf("%v in %s", err, stanza)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				continue
			}
			var attrs []string
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", a.Name.Space, a.Name.Local, a.Value))
				}
			}
			slices.Sort(attrs)
			fmt.Fprintf(&b, "<{%s}%s %s>", token.Name.Space, token.Name.Local, strings.Join(attrs, " "))
		case xml.EndElement:
			fmt.Fprint(&b, "</>")
			if depth--; depth == 1 {
				children = append(children, b.String())
				b.Reset()
			}
		case xml.CharData:
			b.Write(token)
		}
	}
}

func TestRandomStanzasTravelAsTheyAre(t *testing.T) {
	t.Attr("requirements", "R-04.9 R-06.4 R-10.1 R-11.5 T-31 T-41")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		r := rand.New(rand.NewPCG(1, 2))
		for n := range 300 {
			stanza := randomStanza(r, "bob@im.example", n)
			w.say(stanza)
			w.wantBytes("byte for byte", stanza)
			inherited := strings.Replace(stanza, " xmlns='jabber:client'>", ">", 1)
			// In pieces of any size.
			for rest := inherited; rest != ""; {
				k := min(1+r.IntN(200), len(rest))
				w.write(rest[:k])
				rest = rest[k:]
			}
			got := w.next()
			tag := got[:strings.IndexByte(got, '>')]
			if !slices.Equal(meaning(t, got), meaning(t, stanza)) || !strings.Contains(tag, "xmlns='jabber:client'") || !strings.Contains(tag, "xml:lang='en'") {
				t.Fatalf("the client got\n%s\nfor\n%s", got, inherited)
			}
			if i := strings.IndexByte(inherited, '>'); !strings.HasSuffix(got, inherited[i:]) {
				t.Fatalf("written again:\n%s\nfor\n%s", got, inherited)
			}
		}
	})
}
