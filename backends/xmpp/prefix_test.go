package xmpp

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
)

func TestNoPrefixesForClientElements(t *testing.T) {
	t.Attr("requirements", "R-04.8")
	for name, c := range map[string]struct{ sent, want string }{
		"as a rule nothing changes": {
			"<message  xmlns=\"jabber:client\" ><body >a</body ></message >",
			"<message  xmlns=\"jabber:client\" ><body >a</body ></message >"},
		"the stanza and what it holds": {
			"<c:message xmlns:c='jabber:client' to='b'><c:body>a &amp; <![CDATA[</c:body>]]></c:body></c:message >",
			"<message xmlns:c='jabber:client' to='b' xmlns='jabber:client'><body>a &amp; <![CDATA[</c:body>]]></body></message>"},
		"elements without a prefix keep their namespace": {
			"<c:message xmlns:c='jabber:client' xmlns='urn:x'><x/><y  k='>'/><c:body/></c:message>",
			"<message xmlns:c='jabber:client' xmlns='jabber:client'><x xmlns='urn:x'/><y  k='>' xmlns='urn:x'/><body/></message>"},
		"and those in none": {
			"<c:message xmlns:c='jabber:client'><x><c:y/></x></c:message>",
			"<message xmlns:c='jabber:client' xmlns='jabber:client'><x xmlns=''><y xmlns='jabber:client'/></x></message>"},
		"attributes keep theirs": {
			"<c:message xmlns:c='jabber:client'><p:x xmlns:p=\"urn:'p\" c:k=\"'\"/></c:message>",
			"<message xmlns:c='jabber:client' xmlns='jabber:client'><p:x xmlns:p=\"urn:'p\" c:k=\"'\"/></message>"},
		"only inside": {
			"<message xmlns='jabber:client'><c:body xmlns:c='jabber:client'/></message>",
			"<message xmlns='jabber:client'><body xmlns:c='jabber:client'/></message>"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(unprefixed([]byte(c.sent))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("on the way to the server", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			w.say("<c:message xmlns:c='jabber:client'/>")
			w.wantBytes("R-04.8", "<message xmlns:c='jabber:client' xmlns='jabber:client'/>")
		})
	})
	t.Run("the meaning stays", func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for n := range 2000 {
			stanza := randomStanza(r, "b", n)
			stanza = strings.Replace(strings.Replace(stanza, "<message", "<c:message xmlns:c='jabber:client'", 1), "</message>", "</c:message>", 1)
			got := string(unprefixed([]byte(stanza)))
			if _, err := xmlframe.ParseElement([]byte(got), false, nil); err != nil {
				t.Fatalf("%v in %s", err, got)
			}
			if !strings.HasPrefix(got, "<message ") || !slices.Equal(meaning(t, got), meaning(t, stanza)) {
				t.Fatalf("%s\nbecame\n%s", stanza, got)
			}
		}
	})
}

// Whatever is well-formed stays so.
func FuzzPrefixes(f *testing.F) {
	f.Add("<c:message xmlns:c='jabber:client' xmlns='urn:x'><x/><y  k='>'/><c:body/></c:message>")
	f.Add("<c:a xmlns:c = \"jabber:client\"\n><![CDATA[</c:a>]]><b xmlns=''/></c:a\t>")
	f.Fuzz(func(t *testing.T, stanza string) {
		e, err := xmlframe.ParseElement([]byte(stanza), false, nil)
		if err != nil {
			return
		}
		out := unprefixed([]byte(stanza))
		got, err := xmlframe.ParseElement(out, false, nil)
		if xmlframe.KindOf(err).Limit() {
			return // a few more declarations than before
		}
		if err != nil || got.Name.Space != e.Name.Space || got.Name.Local != e.Name.Local {
			t.Fatalf("%v: %q became %q", err, stanza, out)
		}
	})
}
