package xmlframe

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// generator writes documents that are right more often than not, with few
// names, so that prefixes shadow each other, go undeclared and collide.
type generator struct {
	*rand.Rand
	b strings.Builder
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) prefix() string { return g.pick("", "", "", "", "p:", "q:", "r:") }

func (g *generator) attributes() {
	used := map[string]bool{}
	for range g.IntN(4) {
		name := g.pick("xmlns", "xmlns", "xmlns:p", "xmlns:q", "xmlns:r", "p:a", "q:a", "a", "b", "xml:lang")
		if used[name] && g.IntN(20) > 0 {
			continue
		}
		used[name] = true
		value := g.pick("u", "v", "w", "x&amp;y")
		switch {
		case name == "xmlns" && g.IntN(4) == 0, name == "xml:lang" && g.IntN(4) == 0:
			value = ""
		case !strings.HasPrefix(name, "xmlns") && g.IntN(2) == 0:
			value = g.pick(">", "/>", "&#10;", "&quot;", "ü", "😀", "de")
		}
		quote := g.pick("'", `"`)
		g.b.WriteString(g.pick(" ", "\n", " \t") + name + g.pick("=", " = ") + quote + value + quote)
	}
}

func (g *generator) element(depth int) {
	name := g.prefix() + g.pick("a", "b", "message", "größe")
	g.b.WriteString("<" + name)
	g.attributes()
	if g.IntN(3) == 0 {
		g.b.WriteString(g.pick("/>", " />"))
		return
	}
	g.b.WriteString(">")
	for range g.IntN(4) {
		switch g.IntN(3) {
		case 0:
			g.b.WriteString(g.pick("x", " ", "&lt;", "&#65;", "]]", "]", "<![CDATA[<a>]]]>", "<![CDATA[]]>", "ü😀", ">"))
		default:
			if depth < 6 {
				g.element(depth + 1)
			}
		}
	}
	g.b.WriteString("</" + name + g.pick(">", " >"))
}

func (g *generator) document() string {
	g.b.Reset()
	g.b.WriteString(g.pick("", "", "<?xml version='1.0'?>\n"))
	name := g.pick("root", "p:root")
	g.b.WriteString("<" + name + g.pick("", " xmlns='u'", " xmlns='v' xml:lang='de'"))
	g.b.WriteString(g.pick("", " xmlns:p='u'", " xmlns:p='u' xmlns:q='v'", " xmlns:p='v' xmlns:q='w' xmlns:r='v'") + ">")
	for range g.IntN(5) {
		g.b.WriteString(g.pick("", "", " ", "\n"))
		g.element(1)
	}
	g.b.WriteString("</" + name + ">")
	return g.b.String()
}

// What the fuzz targets check holds for documents a fuzzer rarely finds.
func TestGeneratedDocuments(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	const all = 5000
	accepted := 0
	for range all {
		doc := g.document()
		if _, err := Parse([]byte(doc), roomy); err == nil {
			accepted++
		}
		againstDecoder(t, []byte(doc))
		chunking(t, []byte(doc), byte(g.IntN(40)), 255)
		if g.IntN(4) == 0 { // damaged
			n := g.IntN(len(doc))
			doc = doc[:n] + g.pick("", "<", ">", "'", "/", "&", "]", ":", "\xff") + doc[n+1:]
			againstDecoder(t, []byte(doc))
			chunking(t, []byte(doc), byte(g.IntN(40)), 255)
		}
	}
	if accepted < all/5 || accepted == all {
		t.Errorf("%d of %d documents were right, which is no good test", accepted, all)
	}
	t.Logf("%d of %d documents were right", accepted, all)
}
