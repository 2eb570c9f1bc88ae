package xmlframe

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// benchBody is a BOSH request as a chatting client sends it, 735 bytes.
const benchBody = `<body rid='1573741820' sid='SomeSID-2c4f9a7e' xmlns='http://jabber.org/protocol/httpbind' key='bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d'>` +
	`<message to='romeo@example.net/orchard' from='juliet@example.com/balcony' type='chat' id='ktx72v49' xmlns='jabber:client' xml:lang='en'>` +
	`<body>Art thou not Romeo, and a Montague? Neither, fair saint, if either thee dislike. How camest thou hither, tell me, and where &amp; why? &lt;3 !?</body>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>` +
	`<iq to='example.com' type='get' id='disco-info-1' xmlns='jabber:client'><query xmlns='http://jabber.org/protocol/disco#info' ` +
	`node='http://code.example.com/client#QgayPKawpkPSDYmwT/WM94uAlu0='/></iq>` +
	`</body>`

var benchDocument = []byte(benchBody)

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(benchDocument)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(benchDocument, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndComplete(b *testing.B) {
	b.SetBytes(int64(len(benchDocument)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		d, err := Parse(benchDocument, nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := range d.Children {
			out = d.Children[i].AppendStandalone(out[:0], Rename{"http://jabber.org/protocol/httpbind", "jabber:client"})
		}
	}
}

func BenchmarkSplitter(b *testing.B) {
	d, err := Parse(benchDocument, nil)
	if err != nil {
		b.Fatal(err)
	}
	s := new(Splitter)
	s.Feed([]byte(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`))
	if _, err := s.Next(); err != nil {
		b.Fatal(err)
	}
	stanza := d.Children[0].Raw
	b.SetBytes(int64(len(stanza)))
	b.ReportAllocs()
	for b.Loop() {
		s.Feed(stanza)
		for {
			ev, err := s.Next()
			if err != nil {
				b.Fatal(err)
			}
			if ev.Kind == NeedMore {
				break
			}
		}
	}
}

// BenchmarkDecoder is what encoding/xml takes for the same document, without
// finding out half of what Parse does.
func BenchmarkDecoder(b *testing.B) {
	b.SetBytes(int64(len(benchDocument)))
	b.ReportAllocs()
	for b.Loop() {
		d := xml.NewDecoder(bytes.NewReader(benchDocument))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// The number of allocations must not depend on what a child holds.
func TestParseDoesNotAllocatePerElement(t *testing.T) {
	allocs := func(elements int) float64 {
		in := []byte("<body xmlns='u' a=''><message>" + strings.Repeat("<p:a xmlns:p='urn:p' b='c'>text<d/></p:a>", elements) + "</message></body>")
		return testing.AllocsPerRun(100, func() {
			if _, err := Parse(in, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(1), allocs(1000); many > few+2 {
		t.Errorf("%v allocations with 1000 elements, %v with one", many, few)
	}
}
