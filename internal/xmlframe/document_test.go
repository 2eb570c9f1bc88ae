package xmlframe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const bind = "http://jabber.org/protocol/httpbind"

// parse parses what has to be accepted.
func parse(t *testing.T, in string) *Document {
	t.Helper()
	d, err := Parse([]byte(in), nil)
	if err != nil {
		t.Fatalf("Parse(%q): %v", in, err)
	}
	return d
}

func wantKind(t *testing.T, err error, want Kind) {
	t.Helper()
	if got := KindOf(err); got != want {
		t.Errorf("error is %v (%v), want kind %v", err, got, want)
	}
}

func TestParseAccepts(t *testing.T) {
	for _, c := range []struct{ name, in, children string }{
		{"a root without children", `<body/>`, ""},
		{"a root with an end tag", `<body></body>`, ""},
		{"white space in the end tag", "<body></body \t\r\n>", ""},
		{"white space around attributes", "<body \n a = '1'\tb\r=\"2\" />", ""},
		{"a byte order mark", "\uFEFF<body/>", ""},
		{"an XML declaration", `<?xml version='1.0'?><body/>`, ""},
		{"a full XML declaration", "<?xml version = \"1.0\" encoding='Utf-8'\n standalone='yes' ?>\n<body/>", ""},
		{"mark, declaration and white space", "\uFEFF<?xml version='1.0' encoding='UTF-8'?>\r\n\t <body/>\n", ""},
		{"white space between children", "<body>\n <a/>\t<b></b>\r\n</body>", "a b"},
		{"any number of children", "<body>" + strings.Repeat("<a/>", 50) + "</body>", strings.Repeat("a ", 50)},
		{"children in several namespaces, in order", `<body xmlns='urn:b'><x xmlns='urn:a'/><message/><p:y xmlns:p='urn:p'/></body>`, "{urn:a}x {urn:b}message {urn:p}y"},
		{"text in children", `<body><a>x y</a></body>`, "a"},
		{"the five entities", `<body><a b='&amp;&lt;&gt;&quot;&apos;'>&amp;&lt;&gt;&quot;&apos;</a></body>`, "a"},
		{"character references", `<body><a b='&#9;&#x10FFFF;'>&#65;&#x1F600;&#0000000065;</a></body>`, "a"},
		{"four-byte characters", `<body><a b='😀'>😀𐍈</a></body>`, "a"},
		{"names beyond ASCII", `<body><größe/><名前/><a·b/></body>`, "größe 名前 a·b"},
		{"'>' in text and values", `<body><a b='>'>></a></body>`, "a"},
		{"']' and ']]' in text", `<body><a b=']]>'>] ]] ]&gt; ]] ></a></body>`, "a"},
		{"CDATA in children", `<body><a><![CDATA[</a><!-- ]] ]> &foo; ]]]]><![CDATA[>]]></a></body>`, "a"},
		{"the other quote in a value", `<body><a b="'" c='"'/></body>`, "a"},
		{"the prefix xml undeclared", `<body xml:lang='en'><a xml:space='preserve'/></body>`, "a"},
		{"the prefix xml declared as what it is", `<body xmlns:xml='` + spaceXML + `'><xml:a/></body>`, "{" + spaceXML + "}a"},
		{"one local name, with and without prefix", `<body xmlns='urn:a' xmlns:p='urn:a'><a b='1' p:b='2'/></body>`, "{urn:a}a"},
		{"one local name in two namespaces", `<body xmlns:p='urn:a' xmlns:q='urn:b'><a q:b='1' p:b='2'/></body>`, "a"},
		{"a default namespace taken back", `<body xmlns='urn:a'><a xmlns=''/></body>`, "a"},
		{"a prefix declared again", `<body xmlns:p='urn:a'><p:a xmlns:p='urn:b'/><p:a/></body>`, "{urn:b}a {urn:a}a"},
		{"a prefix declared behind its use in the tag", `<p:body p:a='' xmlns:p='urn:a'><p:a/></p:body>`, "{urn:a}a"},
		{"namespaces with references in them", `<body xmlns:p='urn:&amp;'><p:a/><q:b xmlns:q='&#97;'/></body>`, "{urn:&}a {a}b"},
		{"names that begin with xml", `<body><xmlfoo/><x/></body>`, "xmlfoo x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.in)
			var got []string
			for _, child := range d.Children {
				name := child.Name.Local
				if child.Name.Space != "" {
					name = "{" + child.Name.Space + "}" + name
				}
				got = append(got, name)
			}
			if g, w := strings.Join(got, " "), strings.TrimSpace(c.children); g != w {
				t.Errorf("children are %q, want %q", g, w)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Attr("requirements", "R-11.2 R-11.3 T-03")
	for _, c := range []struct {
		name, in string
		kind     Kind
		offset   int64
	}{
		{"nothing", ``, Incomplete, 0},
		{"white space alone", " \n", Incomplete, 2},
		{"an XML declaration alone", `<?xml version='1.0'?>`, Incomplete, 21},
		{"an unclosed root", `<body>`, Incomplete, 6},
		{"an unclosed child", `<body><a>`, Incomplete, 9},
		{"a tag that ends in the middle", `<body a='`, Incomplete, 9},
		{"a tag that ends in a name", `<body`, Incomplete, 5},
		{"a document that ends in a CDATA section", `<body><a><![CDATA[ ]]`, Incomplete, 21},
		{"a document that ends in a reference", `<body><a>&am`, Incomplete, 12},
		{"a partial element in a wrapper", `<body xmlns:stream='urn:s'><stream:stream></body>`, Malformed, 42},
		{"an end tag that matches nothing", `<body></a></body>`, Malformed, 6},
		{"end tags in the wrong order", `<body><a><b></a></b></body>`, Malformed, 12},
		{"an end tag with another prefix of the same namespace", `<body xmlns:p='u' xmlns:q='u'><p:a></q:a></body>`, Malformed, 35},
		{"an end tag with an attribute", `<body></body a=''>`, Malformed, 13},
		{"an end tag in other case", `<body></Body>`, Malformed, 6},
		{"a second root", `<body/><body/>`, Malformed, 7},
		{"text before the root", `x<body/>`, Malformed, 0},
		{"text after the root", `<body/>x`, Malformed, 7},
		{"an end tag first", `</body>`, Malformed, 1},
		{"white space before a name", `< body/>`, Malformed, 1},
		{"a name that begins with a digit", `<1/>`, Malformed, 1},
		{"a name that begins with a combining character", "<\u0300/>", Malformed, 1},
		{"a name with a multiplication sign", `<a×/>`, Malformed, 2},
		{"a name with two colons", `<body xmlns:a='u'><a:b:c/></body>`, Malformed, 22},
		{"a name that ends with a colon", `<body xmlns:a='u'><a:/></body>`, Malformed, 21},
		{"a name that begins with a colon", `<:a/>`, Malformed, 1},
		{"an attribute twice", `<body a='' a=''/>`, Malformed, 11},
		{"a default namespace twice", `<body xmlns='a' xmlns='b'/>`, Malformed, 16},
		{"a prefix declared twice", `<body xmlns:p='a' xmlns:p='b'/>`, Malformed, 18},
		{"an attribute twice by two prefixes", `<body xmlns:p='u' xmlns:q='u'><a p:b='' q:b=''/></body>`, Malformed, 40},
		{"an attribute twice by two spellings of a namespace", `<body xmlns:p='u' xmlns:q='&#117;'><a p:b='' q:b=''/></body>`, Malformed, 45},
		{"an attribute without quotes", `<body a=b/>`, Malformed, 8},
		{"an attribute without a value", `<body a/>`, Malformed, 7},
		{"attributes without white space between", `<body a='1'b='2'/>`, Malformed, 11},
		{"'/' inside a tag", `<body / >`, Malformed, 6},
		{"'<' in a value", `<body a='<'/>`, Malformed, 9},
		{"'<' in a tag", `<body <a/>`, Malformed, 6},
		{"a bare ampersand in text", `<body><a>a & b</a></body>`, Malformed, 11},
		{"a bare ampersand in a value", `<body a='a&b'/>`, Malformed, 10},
		{"an ampersand without end", `<body><a>&` + strings.Repeat("a", 100) + `;</a></body>`, Malformed, 9},
		{"an unknown entity", `<body><a>&foo;</a></body>`, Restricted, 9},
		{"an unknown entity in a value", `<body a='&nbsp;'/>`, Restricted, 9},
		{"a predefined entity in other case", `<body><a>&AMP;</a></body>`, Restricted, 9},
		{"a reference to U+0000", `<body><a>&#0;</a></body>`, Malformed, 9},
		{"a reference to a control character", `<body><a>&#x1;</a></body>`, Malformed, 9},
		{"a reference to a surrogate", `<body><a>&#xD800;</a></body>`, Malformed, 9},
		{"a reference to U+FFFE", `<body><a>&#xFFFE;</a></body>`, Malformed, 9},
		{"a reference beyond Unicode", `<body><a>&#x110000;</a></body>`, Malformed, 9},
		{"a reference beyond all integers", `<body><a>&#9999999999;</a></body>`, Malformed, 9},
		{"a reference with too many digits", `<body><a>&#00000000065;</a></body>`, Malformed, 9},
		{"a reference without digits", `<body><a>&#;</a></body>`, Malformed, 9},
		{"a hexadecimal reference with a capital X", `<body><a>&#X41;</a></body>`, Malformed, 9},
		{"a hexadecimal digit in a decimal reference", `<body><a>&#4A;</a></body>`, Malformed, 9},
		{"']]>' in text", `<body><a>x]]></a></body>`, Malformed, 10},
		{"']]]>' in text", `<body><a>]]]></a></body>`, Malformed, 10},
		{"a control character in text", "<body><a>\x01</a></body>", Malformed, 9},
		{"a control character in a value", "<body a='\x1f'/>", Malformed, 9},
		{"a control character in CDATA", "<body><a><![CDATA[\x00]]></a></body>", Malformed, 18},
		{"U+FFFF in text", "<body><a>\uffff</a></body>", Malformed, 9},
		{"a stray continuation byte", "<body><a>\x80</a></body>", BadEncoding, 9},
		{"an overlong form", "<body><a>\xc0\xaf</a></body>", BadEncoding, 9},
		{"a surrogate in UTF-8", "<body><a>\xed\xa0\x80</a></body>", BadEncoding, 9},
		{"a character cut short", "<body><a>\xf0\x9f\x98</a></body>", BadEncoding, 9},
		{"bad UTF-8 in a value", "<body a='\xff'/>", BadEncoding, 9},
		{"bad UTF-8 in a name", "<bo\xffdy/>", BadEncoding, 3},
		{"UTF-16", "\xff\xfe<\x00b\x00", BadEncoding, 0},
		{"another encoding declared", `<?xml version='1.0' encoding='ISO-8859-1'?><body/>`, BadEncoding, 0},
		{"another version declared", `<?xml version='1.1'?><body/>`, Malformed, 0},
		{"a declaration without version", `<?xml encoding='UTF-8'?><body/>`, Malformed, 0},
		{"a declaration with rubbish", `<?xml version='1.0' foo='1'?><body/>`, Malformed, 0},
		{"a declaration out of order", `<?xml version='1.0' standalone='no' encoding='UTF-8'?><body/>`, Malformed, 0},
		{"a declaration without end", `<?xml version='1.0'` + strings.Repeat(" ", 300) + `?><body/>`, Malformed, 0},
		{"a declaration behind white space", ` <?xml version='1.0'?><body/>`, Restricted, 1},
		{"a declaration inside", `<body><?xml version='1.0'?></body>`, Restricted, 6},
		{"two declarations", `<?xml version='1.0'?><?xml version='1.0'?><body/>`, Restricted, 21},
		{"a comment in the wrapper", `<body><!-- x --></body>`, Restricted, 6},
		{"a comment in a child", `<body><a><!-- x --></a></body>`, Restricted, 9},
		{"a comment before the root", `<!-- x --><body/>`, Restricted, 0},
		{"a comment after the root", `<body/><!-- x -->`, Restricted, 7},
		{"a processing instruction in the wrapper", `<body><?x y?></body>`, Restricted, 6},
		{"a processing instruction in a child", `<body><a><?x y?></a></body>`, Restricted, 9},
		{"a processing instruction before the root", `<?xml-stylesheet href='x'?><body/>`, Restricted, 0},
		{"a processing instruction after the root", `<body/><?x?>`, Restricted, 7},
		{"a document type", `<!DOCTYPE body><body/>`, Restricted, 0},
		{"a document type with an external subset", `<!DOCTYPE body SYSTEM 'file:///etc/passwd'><body/>`, Restricted, 0},
		{"a document type in a child", `<body><a><!DOCTYPE a></a></body>`, Restricted, 9},
		{"an unknown declaration", `<body><a><!ENTITY a 'b'></a></body>`, Malformed, 9},
		{"text in the wrapper", `<body>x</body>`, StrayText, 6},
		{"text between children", "<body><a/> x<a/></body>", StrayText, 11},
		{"white space by reference in the wrapper", `<body>&#32;</body>`, StrayText, 6},
		{"CDATA in the wrapper", `<body><![CDATA[ ]]></body>`, StrayText, 6},
		{"a no-break space in the wrapper", "<body>\u00a0</body>", StrayText, 6},
		{"an undeclared prefix on an element", `<body><p:a/></body>`, UndeclaredPrefix, 7},
		{"an undeclared prefix on the root", `<p:body/>`, UndeclaredPrefix, 1},
		{"an undeclared prefix on an attribute", `<body xmpp:version='1.0'/>`, UndeclaredPrefix, 6},
		{"an undeclared prefix deep inside", `<body><a><b><p:c/></b></a></body>`, UndeclaredPrefix, 13},
		{"a prefix declared next door", `<body><a xmlns:p='u'/><p:a/></body>`, UndeclaredPrefix, 23},
		{"a prefix declared inside only", `<body><p:a><b xmlns:p='u'/></p:a></body>`, UndeclaredPrefix, 7},
		{"the prefix xmlns on an element", `<body><xmlns:a/></body>`, BadNamespace, 7},
		{"a prefix bound to nothing", `<body xmlns:p=''/>`, BadNamespace, 6},
		{"the prefix xml bound to something else", `<body xmlns:xml='u'/>`, BadNamespace, 6},
		{"another prefix bound to xml's namespace", `<body xmlns:p='` + spaceXML + `'/>`, BadNamespace, 6},
		{"xml's namespace by default", `<body xmlns='` + spaceXML + `'/>`, BadNamespace, 6},
		{"the prefix xmlns declared", `<body xmlns:xmlns='u'/>`, BadNamespace, 6},
		{"the namespace of declarations bound", `<body xmlns:p='` + spaceXMLNS + `'/>`, BadNamespace, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse([]byte(c.in), nil)
			if err == nil {
				t.Fatalf("accepted, with %d children", len(d.Children))
			}
			wantKind(t, err, c.kind)
			var e *Error
			if errors.As(err, &e) && e.Offset != c.offset {
				t.Errorf("%v: offset is %d, want %d", err, e.Offset, c.offset)
			}
		})
	}
}

func TestParseKeepsLimits(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat("<a>", n) + strings.Repeat("</a>", n)
	}
	attrs := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, in string
		limits   *Limits
		kind     Kind
	}{
		{"depth up to the default", nested(128), nil, 0},
		{"depth beyond the default", nested(129), nil, TooDeep},
		{"an empty element counts for the depth", `<a><b/></a>`, &Limits{MaxDepth: 1}, TooDeep},
		{"a depth that was asked for", `<a><b/></a>`, &Limits{MaxDepth: 2}, 0},
		{"10,000 nested elements", nested(10_000), nil, TooDeep},
		{"10,000 nested elements that were asked for", nested(10_000), &Limits{MaxDepth: 10_000}, 0},
		{"attributes up to the default", `<a` + attrs(64, " a%d=''") + `/>`, nil, 0},
		{"attributes beyond the default", `<a` + attrs(65, " a%d=''") + `/>`, nil, TooManyAttributes},
		{"10 MB of attributes", `<a` + attrs(1_000_000, " a%d=''") + `/>`, &Limits{MaxBytes: 1 << 30}, TooManyAttributes},
		{"10 MB of attributes on many elements", `<a>` + strings.Repeat(`<b`+attrs(64, " a%d=''")+`/>`, 18_000) + `</a>`,
			&Limits{MaxBytes: 1 << 30, MaxChildren: 1 << 20}, 0},
		{"10 MB of one attribute", `<a a='` + strings.Repeat("x", 10_000_000) + `'/>`, &Limits{MaxBytes: 1 << 30}, 0},
		{"namespaces on the root up to 64", `<a` + attrs(64, " xmlns:a%d='u%[1]d'") + `/>`, nil, 0},
		{"namespaces on the root beyond 64", `<a` + attrs(65, " xmlns:a%d='u%[1]d'") + `/>`, &Limits{MaxAttributes: 100}, TooManyNamespaces},
		{"namespaces in scope beyond the default", strings.Repeat("<a"+attrs(52, " xmlns:a%d='u%[1]d'")+">", 5), nil, TooManyNamespaces},
		{"namespaces out of scope", `<a>` + strings.Repeat("<a"+attrs(52, " xmlns:a%d='u%[1]d'")+"/>", 50) + `</a>`, nil, 0},
		{"children beyond the default", `<a>` + strings.Repeat("<a/>", 1025) + `</a>`, nil, TooManyChildren},
		{"a document of just the size", `<a>      </a>`, &Limits{MaxBytes: 13}, 0},
		{"a document too big", `<a>       </a>`, &Limits{MaxBytes: 13}, TooBig},
		{"a document bigger than the default", `<a>` + strings.Repeat(" ", 1<<20) + `</a>`, nil, TooBig},
		{"billion laughs", `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;">` +
			`<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">]><lolz>&lol2;</lolz>`, nil, Restricted},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.in), c.limits)
			wantKind(t, err, c.kind)
		})
	}
}

func TestParseReturnsTheRoot(t *testing.T) {
	const in = "\uFEFF<b:body xmlns:b='" + bind + "' rid='1' xmlns:x=\"urn:xmpp:xbosh\" x:version='1.0'\n" +
		" xml:lang='de' to='a&amp;b\r\n\tc&#10;&#x1F600;' empty=''><b:a/></b:body> "
	d := parse(t, in)
	if !d.Name.Is(bind, "body") || d.Name.Prefix != "b" {
		t.Errorf("name is %+v", d.Name)
	}
	want := []Attr{
		{Name{"", "rid", ""}, "1"},
		{Name{"urn:xmpp:xbosh", "version", "x"}, "1.0"},
		{Name{spaceXML, "lang", "xml"}, "de"},
		{Name{"", "to", ""}, "a&b  c\n😀"},
		{Name{"", "empty", ""}, ""},
	}
	if fmt.Sprint(d.Attrs) != fmt.Sprint(want) {
		t.Errorf("attributes are %q, want %q", d.Attrs, want)
	}
	if got := fmt.Sprint(d.Namespaces); got != "[{b "+bind+"} {x urn:xmpp:xbosh}]" {
		t.Errorf("declarations are %s", got)
	}
	if v, ok := d.Attr("urn:xmpp:xbosh", "version"); !ok || v != "1.0" {
		t.Errorf("version is %q, %v", v, ok)
	}
	if _, ok := d.Attr("", "version"); ok {
		t.Error("an attribute in a namespace was found without")
	}
	if d.Lang() != "de" {
		t.Errorf("language is %q", d.Lang())
	}
	if got := string(d.Raw); got != strings.Trim(in, "\uFEFF ") {
		t.Errorf("raw is %q", got)
	}
	if !strings.HasPrefix(string(d.Raw), d.Tag) || !strings.HasSuffix(d.Tag, "empty=''>") {
		t.Errorf("tag is %q", d.Tag)
	}
}

func TestChildrenAreSpansOfTheInput(t *testing.T) {
	in := []byte("<body> <message a = \"1\"><x> </x></message\n>\n<iq/></body>")
	d, err := Parse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"<message a = \"1\"><x> </x></message\n>", "<iq/>"} {
		raw := d.Children[i].Raw
		if string(raw) != want {
			t.Errorf("child %d is %q, want %q", i, raw, want)
		}
		if cap(raw) != len(raw) {
			t.Errorf("appending to child %d would overwrite what follows", i)
		}
	}
	if &d.Children[0].Raw[0] != &in[7] {
		t.Error("a child is a copy")
	}
}

func TestParseElement(t *testing.T) {
	for _, c := range []struct {
		name, in string
		decl     bool
		kind     Kind
	}{
		{"one element", `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>`, false, 0},
		{"text inside is fine", `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGE&amp;<![CDATA[x]]></auth>`, false, 0},
		{"features with the prefix declared", `<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='b'/></stream:features>`, false, 0},
		{"features without the declaration", `<stream:features/>`, false, UndeclaredPrefix},
		{"a declaration that is allowed", "<?xml version='1.0'?>\n<open/>", true, 0},
		{"a declaration that is not allowed", "<?xml version='1.0'?><open/>", false, Restricted},
		{"nothing", ``, false, Incomplete},
		{"white space alone", ` `, false, Malformed},
		{"white space in front", ` <open/>`, true, Malformed},
		{"a line feed in front", "\n<open/>", false, Malformed},
		{"a byte order mark", "\uFEFF<open/>", true, Malformed},
		{"white space behind", "<open/>\n", false, Malformed},
		{"two elements", `<iq/><iq/>`, false, Malformed},
		{"half an element", `<iq><query>`, false, Incomplete},
		{"a stream header", `<stream:stream xmlns:stream='s'>`, false, Incomplete},
		{"an end tag", `</stream:stream>`, false, Malformed},
		{"text", `hello`, false, Malformed},
		{"a comment", `<!-- x -->`, false, Restricted},
		{"a comment behind", `<iq/><!-- x -->`, false, Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := ParseElement([]byte(c.in), c.decl, nil)
			wantKind(t, err, c.kind)
			if err == nil && !strings.HasSuffix(c.in, string(e.Raw)) {
				t.Errorf("raw is %q", e.Raw)
			}
			name, raw, err2 := CheckElement([]byte(c.in), c.decl, nil)
			if fmt.Sprint(err) != fmt.Sprint(err2) || err == nil && (name != e.Name || !bytes.Equal(raw, e.Raw)) {
				t.Errorf("to check says %v, %q, %v", name, raw, err2)
			}
		})
	}
	_, err := ParseElement([]byte(`<a>123</a>`), false, &Limits{MaxBytes: 9})
	wantKind(t, err, TooBig)
}
