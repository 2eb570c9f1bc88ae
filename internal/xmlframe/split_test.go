package xmlframe

import (
	"fmt"
	"strings"
	"testing"
)

// record feeds in to s in pieces of the given size and writes down what comes
// out, with runs of white space as one. Finish is a part of it.
func record(s *Splitter, in string, size int) []string {
	var out []string
	for len(in) > 0 {
		n := min(size, len(in))
		// The piece is overwritten afterwards: nothing may refer to it then.
		piece := []byte(in[:n])
		in = in[n:]
		s.Feed(piece)
		more, err := drain(s)
		for _, e := range more {
			if e != "space" || len(out) == 0 || out[len(out)-1] != "space" {
				out = append(out, e)
			}
		}
		if err != nil {
			return append(out, err.Error())
		}
		for i := range piece {
			piece[i] = '#'
		}
	}
	if err := s.Finish(); err != nil {
		out = append(out, err.Error())
	}
	return out
}

// drain writes down what s has now.
func drain(s *Splitter) ([]string, error) {
	var out []string
	for {
		ev, err := s.Next()
		if err != nil {
			return out, err
		}
		switch ev.Kind {
		case NeedMore:
			return out, nil
		case Header:
			out = append(out, fmt.Sprintf("header %+v %v %v", ev.Header.Name, ev.Header.Attrs, ev.Header.Namespaces))
		case Stanza:
			out = append(out, fmt.Sprintf("stanza %+v %s | %s", ev.Child.Name, ev.Child.Raw, ev.Child.AppendStandalone(nil)))
		case Space:
			out = append(out, "space")
		case End:
			out = append(out, "end")
		}
	}
}

const opened = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0' xml:lang='de'>`

func TestSplitterWorksForAnyChunking(t *testing.T) {
	const in = "\uFEFF<?xml version='1.0' encoding='UTF-8'?>\n" + opened + "\n " +
		`<stream:features><a xmlns='u>"'/></stream:features>` +
		" \t<message to=\"'>\"><body>größe 😀 &amp;&#65; ]] <![CDATA[ </message> ]]]]></body><p:x xmlns:p='urn:p'><p:y/></p:x ></message><iq/>" +
		"<stream:error/> </stream:stream\n>\n"
	want := []string{
		"space",
		"header {Space:http://etherx.jabber.org/streams Local:stream Prefix:stream} [{{ id } 1} {{ version } 1.0} {{" + spaceXML + " lang xml} de}]" +
			" [{ jabber:client} {stream http://etherx.jabber.org/streams}]",
		"space",
		`stanza {Space:http://etherx.jabber.org/streams Local:features Prefix:stream} <stream:features><a xmlns='u>"'/></stream:features> | ` +
			`<stream:features xmlns:stream='http://etherx.jabber.org/streams' xml:lang='de'><a xmlns='u>"'/></stream:features>`,
		"space",
		"stanza {Space:jabber:client Local:message Prefix:} <message to=\"'>\"><body>größe 😀 &amp;&#65; ]] <![CDATA[ </message> ]]]]></body><p:x xmlns:p='urn:p'><p:y/></p:x ></message> | " +
			"<message xmlns='jabber:client' xml:lang='de' to=\"'>\"><body>größe 😀 &amp;&#65; ]] <![CDATA[ </message> ]]]]></body><p:x xmlns:p='urn:p'><p:y/></p:x ></message>",
		"stanza {Space:jabber:client Local:iq Prefix:} <iq/> | <iq xmlns='jabber:client' xml:lang='de'/>",
		"stanza {Space:http://etherx.jabber.org/streams Local:error Prefix:stream} <stream:error/> | <stream:error xmlns:stream='http://etherx.jabber.org/streams' xml:lang='de'/>",
		"space", "end", "space",
	}
	for size := 1; size <= len(in); size++ {
		got := record(new(Splitter), in, size)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("in pieces of %d:\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestSplitterRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string // in follows the header, unless it begins with '^'
		kind     Kind
	}{
		{"a comment between stanzas", `<!-- x -->`, Restricted},
		{"a comment in a stanza, before the stanza is complete", `<a><!--`, Restricted},
		{"a processing instruction", `<?`, Restricted},
		{"a document type", `<!DOCTYPE`, Restricted},
		{"an entity", `<a>&foo;`, Restricted},
		{"text between stanzas", `<a/>x`, StrayText},
		{"CDATA between stanzas", `<![CDATA[`, StrayText},
		{"bad UTF-8", "<a>\xff", BadEncoding},
		{"an undeclared prefix", `<p:a>`, UndeclaredPrefix},
		{"a prefix of the stanza before", `<a xmlns:p='u'/><p:a>`, UndeclaredPrefix},
		{"the wrong end tag", `</stream>`, Malformed},
		{"a stanza after the end", `</stream:stream><a`, Malformed},
		{"text after the end", `</stream:stream>x`, Malformed},
		{"a comment after the end", `</stream:stream><!--`, Restricted},
		{"'<' in a tag that is not complete", `<a <`, Malformed},
		{"text first", `^x`, Malformed},
		{"a comment first", `^<!--`, Restricted},
		{"a declaration behind white space", `^ <?xml `, Restricted},
		{"a header with an undeclared prefix", `^<stream:stream>`, UndeclaredPrefix},
		{"an end tag first", `^</a>`, Malformed},
		{"another encoding", `^<?xml version='1.0' encoding='latin1'?>`, BadEncoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, whole := strings.CutPrefix(c.in, "^")
			if !whole {
				in = opened + in
			}
			s := new(Splitter)
			s.Feed([]byte(in))
			_, err := drain(s)
			wantKind(t, err, c.kind)
			s.Feed([]byte("<a/>"))
			if _, again := s.Next(); again != err {
				t.Errorf("the next error is %v", again)
			}
			one, all := record(new(Splitter), in, 1), record(new(Splitter), in, len(in))
			if fmt.Sprint(one) != fmt.Sprint(all) {
				t.Errorf("byte by byte it is\n%q, at once\n%q", one, all)
			}
		})
	}
}

func TestSplitterKeepsLimits(t *testing.T) {
	long := func(n int) string { return "<a b='" + strings.Repeat("x", n-9) + "'/>" }
	for _, c := range []struct {
		name, in string
		kind     Kind
	}{
		{"a stanza of just the size", opened + long(200), 0},
		{"many of them", opened + strings.Repeat(long(200), 10), 0},
		{"a stanza too big", opened + long(201), TooBig},
		{"a stanza too big, while it is not complete", opened + "<a>" + strings.Repeat("x", 197), TooBig},
		{"a tag too big, while it is not complete", opened + "<a" + strings.Repeat(" ", 198), TooBig},
		{"a stanza not too big yet", opened + "<a>" + strings.Repeat("x", 196), 0},
		{"a header too big", "<stream" + strings.Repeat(" ", 193), TooBig},
		{"an end tag too big", opened + "</stream:stream" + strings.Repeat(" ", 190), TooBig},
		{"white space between stanzas does not count", opened + strings.Repeat(" ", 10_000), 0},
		{"elements nested too deep", opened + "<a><a><a><a>", TooDeep},
		{"too many attributes", opened + "<a a='' b='' c='' d='' e='' f=''>", TooManyAttributes},
		{"the children of a stream are not counted", opened + strings.Repeat("<a/>", 5000), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 7, len(c.in)} {
				s := &Splitter{Limits: &Limits{MaxBytes: 200, MaxDepth: 3, MaxAttributes: 5}}
				var err error
				for in := c.in; in != "" && err == nil; {
					n := min(size, len(in))
					s.Feed([]byte(in[:n]))
					in = in[n:]
					_, err = drain(s)
					if cap(s.buf) > 2*(200+size)+64 {
						t.Fatalf("holds a buffer of %d", cap(s.buf))
					}
				}
				wantKind(t, err, c.kind)
			}
		})
	}
}

func TestAnIdleSplitterHoldsNothing(t *testing.T) {
	s := new(Splitter)
	idle := func(when string) {
		t.Helper()
		if _, err := drain(s); err != nil {
			t.Fatal(err)
		}
		if s.buf != nil || s.scan != nil || s.Held() != 0 || s.child.Raw != nil {
			t.Errorf("%s it holds a buffer of %d, scanner %v", when, cap(s.buf), s.scan != nil)
		}
	}
	s.Feed([]byte(opened))
	idle("behind the header")
	s.Feed([]byte("<a>" + strings.Repeat("x", 100_000)))
	drain(s)
	s.Feed([]byte("</a>"))
	idle("behind a large stanza")
	s.Feed([]byte(" "))
	idle("behind white space")
	s.Feed([]byte("<a>" + strings.Repeat("x", 100_000)))
	drain(s)
	s.Feed([]byte("</a><b"))
	drain(s)
	if cap(s.buf) > 64 || s.Held() != 2 {
		t.Errorf("for two bytes it holds a buffer of %d", cap(s.buf))
	}
}

func TestSplitterRestarts(t *testing.T) {
	s := new(Splitter)
	got := record(s, opened+`<success/>`, 1000)
	if len(got) != 3 || !s.Open() {
		t.Fatalf("first stream: %q", got)
	}
	s.Restart()
	if s.Open() {
		t.Error("open after Restart")
	}
	got = record(s, "\n <?xml version='1.0'?>"+opened+`<stream:features/></stream:stream>`, 3)
	if len(got) != 4 || got[0] != "space" || got[3] != "end" {
		t.Errorf("second stream: %q", got)
	}

	s.Reset()
	s.Feed([]byte(opened + `<success/>` + `<?xml version='1.0'?>` + opened + `<a/>`))
	for range 2 {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	s.Restart() // keeps what was held
	if out, err := drain(s); len(out) != 2 || err != nil {
		t.Errorf("bytes held: %q, %v", out, err)
	}

	s.Reset()
	s.Feed([]byte(opened + `<proceed/><injected/>`))
	for range 2 {
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if s.Held() != len("<injected/>") {
		t.Errorf("held is %d", s.Held())
	}
	s.Reset() // forgets it
	if out, err := drain(s); len(out) != 0 || err != nil || s.Held() != 0 {
		t.Errorf("after Reset: %q, %v", out, err)
	}
	s.Feed([]byte(`x`))
	if _, err := s.Next(); KindOf(err) != Malformed || err.(*Error).Offset != 0 {
		t.Errorf("offset does not count from the start: %v", err)
	}
	s.Restart()
	if _, err := s.Next(); err == nil {
		t.Error("Restart mends an error")
	}
	s.Reset()
	if _, err := s.Next(); err != nil {
		t.Errorf("Reset mends nothing: %v", err)
	}
}

func TestSplitterOfAnEmptyStream(t *testing.T) {
	got := record(new(Splitter), `<stream xmlns='u'/> `, 1)
	if len(got) != 3 || got[1] != "end" || got[2] != "space" {
		t.Errorf("events are %q", got)
	}
}

func TestFinishTellsAnEndFromABreak(t *testing.T) {
	for in, kind := range map[string]Kind{
		"": Incomplete, opened: Incomplete, opened + "<a>": Incomplete, opened + "</stream:stream>": 0, "x": Malformed,
	} {
		s := new(Splitter)
		s.Feed([]byte(in))
		drain(s)
		wantKind(t, s.Finish(), kind)
	}
}

// A stanza that trickles in must not be read again and again from its start.
func TestSplitterTakesLinearTime(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"a long value", "<a b='" + strings.Repeat("x", 200_000)},
		{"white space in an end tag", "<a></a" + strings.Repeat(" ", 200_000)},
		{"a long text", "<a>" + strings.Repeat("]", 200_000)},
		{"a long CDATA section", "<a><![CDATA[" + strings.Repeat("]", 200_000)},
		{"a long name", "<" + strings.Repeat("a", 200_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := record(new(Splitter), opened+c.in, 1)
			if len(got) != 2 || !strings.Contains(got[1], "incomplete") {
				t.Errorf("events are %.200q", got)
			}
		})
	}
}
