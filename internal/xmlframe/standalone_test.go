package xmlframe

import "testing"

func TestAppendStandalone(t *testing.T) {
	client := []Rename{{bind, "jabber:client"}, {"", "jabber:client"}}
	for _, c := range []struct {
		name, in string
		renames  []Rename
		want     string
	}{
		{"what needs nothing stays as it is",
			`<body xmlns='` + bind + `' xmlns:p='u'><message xmlns="jabber:client"  a = '1'><body>&#65;</body></message ></body>`, nil,
			`<message xmlns="jabber:client"  a = '1'><body>&#65;</body></message >`},
		{"an inherited default namespace is added",
			`<body xmlns='u'><a b='1'><c/></a></body>`, nil,
			`<a xmlns='u' b='1'><c/></a>`},
		{"an empty element gets it too",
			`<body xmlns='u'><a/></body>`, nil, `<a xmlns='u'/>`},
		{"no namespace needs no declaration",
			`<p:body xmlns:p='u'><a/></p:body>`, nil, `<a/>`},
		{"a stanza that inherits the body's namespace becomes jabber:client",
			`<body xmlns='` + bind + `'><message to='x'><body>hi</body></message></body>`, client,
			`<message xmlns='jabber:client' to='x'><body>hi</body></message>`},
		{"a stanza in no namespace becomes jabber:client",
			`<b:body xmlns:b='` + bind + `'><message><body/></message></b:body>`, client,
			`<message xmlns='jabber:client'><body/></message>`},
		{"an explicit namespace is not renamed",
			`<body xmlns='` + bind + `'><x xmlns='urn:a'><y/></x></body>`, client,
			`<x xmlns='urn:a'><y/></x>`},
		{"an explicit absence of a namespace is not renamed",
			`<body xmlns='` + bind + `'><x xmlns=''><y/></x></body>`, client,
			`<x xmlns=''><y/></x>`},
		{"an element inside that inherits is renamed",
			`<body xmlns='` + bind + `'><p:message xmlns:p='jabber:client'><body/></p:message></body>`, client,
			`<p:message xmlns='jabber:client' xmlns:p='jabber:client'><body/></p:message>`},
		{"an element inside that does not inherit changes nothing",
			`<body xmlns='` + bind + `'><p:message xmlns:p='u'><p:a/><b xmlns='v'><c/></b></p:message></body>`, client,
			`<p:message xmlns:p='u'><p:a/><b xmlns='v'><c/></b></p:message>`},
		{"a declaration inside ends with its element",
			`<body xmlns='u'><p:a xmlns:p='v'><b xmlns='w'/><c/></p:a></body>`, nil,
			`<p:a xmlns='u' xmlns:p='v'><b xmlns='w'/><c/></p:a>`},
		{"a stanza with the body's prefix keeps the prefix",
			`<b:body xmlns:b='` + bind + `'><b:message><b:body/></b:message></b:body>`, client,
			`<b:message xmlns:b='jabber:client'><b:body/></b:message>`},
		{"a prefix on an attribute is not renamed",
			`<b:body xmlns:b='` + bind + `' xmlns:c='jabber:client'><b:message b:a='' c:a=''/></b:body>`, client,
			`<b:message xmlns:b='` + bind + `' xmlns:c='jabber:client' b:a='' c:a=''/>`},
		{"an inherited prefix is added, others are not",
			`<body xmlns:p='urn:p' xmlns:q='urn:q'><p:a/></body>`, nil,
			`<p:a xmlns:p='urn:p'/>`},
		{"a prefix used deep inside is added on top",
			`<body xmlns:p='urn:p'><a xmlns='u'><b><c p:d=''/></b></a></body>`, nil,
			`<a xmlns:p='urn:p' xmlns='u'><b><c p:d=''/></b></a>`},
		{"a prefix that is declared anew is not added",
			`<body xmlns:p='urn:p'><a><p:b xmlns:p='urn:q'/></a></body>`, nil,
			`<a><p:b xmlns:p='urn:q'/></a>`},
		{"a prefix in text is only text",
			`<body xmlns:p='urn:p'><a b='p:c'>&lt;p:a/><![CDATA[<p:a/>]]></a></body>`, nil,
			`<a b='p:c'>&lt;p:a/><![CDATA[<p:a/>]]></a>`},
		{"stream features keep their prefix",
			`<body xmlns='` + bind + `' xmlns:stream='http://etherx.jabber.org/streams'><stream:features><bind xmlns='b'/></stream:features></body>`, nil,
			`<stream:features xmlns:stream='http://etherx.jabber.org/streams'><bind xmlns='b'/></stream:features>`},
		{"an inherited language is added",
			`<body xml:lang='de'><a b=''/></body>`, nil, `<a xml:lang='de' b=''/>`},
		{"a language of its own is kept",
			`<body xml:lang='de'><a xml:lang='en'/></body>`, nil, `<a xml:lang='en'/>`},
		{"an empty language of its own is kept",
			`<body xml:lang='de'><a xml:lang=''/></body>`, nil, `<a xml:lang=''/>`},
		{"a language inside is not the child's",
			`<body xml:lang='de'><a><b xml:lang='en'/></a></body>`, nil, `<a xml:lang='de'><b xml:lang='en'/></a>`},
		{"what is added is escaped",
			`<body xmlns="it's" xmlns:p='a&amp;&lt;&#10;' xml:lang='"'><p:a><b/></p:a></body>`, nil,
			`<p:a xmlns='it&apos;s' xmlns:p='a&amp;&lt;&#10;' xml:lang='&quot;'><b/></p:a>`},
		{"xml declared outside is not added",
			`<body xmlns:xml='` + spaceXML + `'><a xml:space='default'/></body>`, nil, `<a xml:space='default'/>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			child := &parse(t, c.in).Children[0]
			got := string(child.AppendStandalone([]byte("|"), c.renames...))
			if got != "|"+c.want {
				t.Errorf("is   %s\nwant |%s", got, c.want)
			}
			if child.Standalone(c.renames...) != (c.want == string(child.Raw)) {
				t.Errorf("Standalone is %v", child.Standalone(c.renames...))
			}
			if _, err := ParseElement([]byte(c.want), false, nil); err != nil {
				t.Errorf("the result does not stand alone: %v", err)
			}
		})
	}
}

func TestChildrenAreCompletedOneByOne(t *testing.T) {
	d := parse(t, `<body xmlns='u' xmlns:p='v'><a/><p:b/><c xmlns='w'/></body>`)
	for i, want := range []string{`<a xmlns='u'/>`, `<p:b xmlns:p='v'/>`, `<c xmlns='w'/>`} {
		if got := string(d.Children[i].AppendStandalone(nil)); got != want {
			t.Errorf("child %d is %s, want %s", i, got, want)
		}
	}
}
