package bosh_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// XEP-0124 §6: what a wrapper may be. Each of these must be refused alike, and
// harm no session.
func TestBadInput(t *testing.T) {
	const open = "<body xmlns='" + ns + "' "
	laughs := "<!DOCTYPE body [<!ENTITY a 'ha'>"
	for c := 'b'; c < 'l'; c++ {
		laughs += fmt.Sprintf("<!ENTITY %c '%s'>", c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	tests := []struct{ name, xml string }{
		{"B-05.5 nothing", ""},
		{"B-05.5 white space", " \n "},
		{"B-05.5 two wrappers", "SELF SELF"},
		{"text before", "x SELF"},
		{"text after", "SELF x"},
		{"B-06.1 no namespace", "<body IDS/>"},
		{"B-06.1 another namespace", "<body xmlns='urn:x' IDS/>"},
		{"B-06.1 another name", "<Body xmlns='" + ns + "' IDS/>"},
		{"B-06.2 truncated", open + "IDS><n>"},
		{"B-06.2 truncated in a tag", open + "IDS"},
		{"B-06.2 end tags crossed", open + "IDS><a><b></a></b></body>"},
		{"B-06.2 attribute twice", open + "IDS rid='7'/>"},
		{"B-06.2 bare ampersand", open + "IDS><n>a & b</n></body>"},
		{"B-06.2 < in an attribute", open + "IDS><n a='<'/></body>"},
		{"B-06.2 control character", open + "IDS><n>\x01</n></body>"},
		{"B-06.2 reference to one", open + "IDS><n>&#1;</n></body>"},
		{"B-06.2 invalid UTF-8", open + "IDS><n>\xff</n></body>"},
		{"B-07.41 latin-1", open + "IDS><n>caf\xe9</n></body>"},
		{"overlong UTF-8", open + "IDS><n>\xc0\xaf</n></body>"},
		{"surrogates in UTF-8", open + "IDS><n>\xed\xa0\x80</n></body>"},
		{"B-06.3 prefix of an element", open + "IDS><p:n/></body>"},
		{"B-06.3 prefix of an attribute", open + "IDS p:a='1'/>"},
		{"B-06.3 one attribute under two prefixes", open + "IDS><n xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/></body>"},
		{"B-06.4 part of an element", open + "IDS><stream:stream xmlns:stream='s'></body>"},
		{"B-06.5 comment", open + "IDS><!-- x --></body>"},
		{"B-06.5 comment deeper", open + "IDS><n><!-- x --></n></body>"},
		{"B-06.6 processing instruction", open + "IDS><?x y?></body>"},
		{"B-06.7 document type", "<!DOCTYPE body>SELF"},
		{"B-06.7 external document type", "<!DOCTYPE body SYSTEM 'file:///etc/passwd'>SELF"},
		{"B-06.7 billion laughs", laughs + "]>" + open + "IDS><n>&k;</n></body>"},
		{"B-06.8 entity", open + "IDS><n>&foo;</n></body>"},
		{"B-06.9 text", open + "IDS>x</body>"},
		{"B-06.9 CDATA", open + "IDS><![CDATA[x]]></body>"},
		{"UTF-16", "\xff\xfe<\x00b\x00o\x00d\x00y\x00"},
		{"declared as another encoding", "<?xml version='1.0' encoding='iso-8859-1'?>SELF"},
		{"JSON", `{"rid":1}`},
		{"10,000 deep", open + "IDS>" + strings.Repeat("<a>", 10000) + strings.Repeat("</a>", 10000) + "</body>"},
		{"10,000 attributes", open + "IDS " + strings.Repeat("a", 5) + manyAttributes(10000) + "/>"},
		{"a json of two values", open + "IDS><json xmlns='urn:xmpp:json:0'>1 2</json></body>"},
		{"an empty json", open + "IDS><json xmlns='urn:xmpp:json:0'/></body>"},
		{"a json with elements", open + "IDS><json xmlns='urn:xmpp:json:0'>1<b/></json></body>"},
		{"a json that is none", open + "IDS><json xmlns='urn:xmpp:json:0'>{'a':1}</json></body>"},
		{"a good payload before a bad one", open + "IDS><n xmlns='u'/><json xmlns='urn:xmpp:json:0'>{</json></body>"},
	}
	for _, test := range tests {
		t.Run("B-02.1 B-17.8 "+test.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c, other := w.create(""), w.create("")
			held := other.begin(other.at(1, "", ""))
			ids := fmt.Sprintf("sid='%s' rid='%d'", c.sid, first+1)
			xml := strings.ReplaceAll(test.xml, "SELF", open+"IDS/>")
			xml = strings.ReplaceAll(xml, "IDS", ids)
			a := w.post(xml)
			if c := a.condition(); c != "bad-request" && c != "policy-violation" || a.status != 200 {
				t.Errorf("got %d %q %v", a.status, a.xml, a.err)
			}
			w.wantAfter("answer", a, 0)
			w.wantHeld("another session's request", held)
			w.wantHeld("A-9 the same rid", c.begin(c.at(1, "", payload(1))))
			w.wantReceived("nothing before", "")
			if got := w.backend.streams[0].received(); got != payload(1) {
				t.Errorf("the backend got %q", got)
			}
		}))
	}

	t.Run("10 MB of attributes", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.wantXML("answer", w.post(open+manyAttributes(700000)+"/>"), terminal("policy-violation"))
	}))
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='x'", i)
	}
	return b.String()
}

func TestGoodInput(t *testing.T) {
	const open = "<body xmlns='" + ns + "' IDS"
	tests := []struct{ name, xml, want string }{
		{"B-06.10 none", open + "/>", ""},
		{"B-06.10 two", open + "><a xmlns='u'/><b xmlns='u'/></body>", "<a xmlns='u'/> <b xmlns='u'/>"},
		{"B-06.1 a prefix", "<b:body xmlns:b='" + ns + "' IDS><a xmlns='u'/></b:body>", "<a xmlns='u'/>"},
		{"B-06.6 an XML declaration", "<?xml version='1.0' encoding='utf-8'?>\n" + open + "/>", ""},
		{"a byte order mark", "\ufeff" + open + "/>", ""},
		{"A-18 white space between children", open + ">\n  <a xmlns='u'/>\r\n\t</body>\n", "<a xmlns='u'/>"},
		{"B-06.8 the five entities and references", open + "><a xmlns='u'>&amp;&lt;&gt;&quot;&apos;&#65;</a></body>", "<a xmlns='u'>&amp;&lt;&gt;&quot;&apos;&#65;</a>"},
		{"B-06.11 namespaces of all kinds", open + "><a xmlns='u'/><b xmlns='v'/></body>", "<a xmlns='u'/> <b xmlns='v'/>"},
		{"T-31 an inherited namespace", open + "><a/></body>", "<a xmlns='" + ns + "'/>"},
		{"B-06.13 T-31 an inherited prefix", open + " xmlns:p='urn:p'><a xmlns='u' p:b='\U0001F600'/></body>", "<a xmlns='u' p:b='\U0001F600' xmlns:p='urn:p'/>"},
		{"T-14 white space around numbers", "<body xmlns='" + ns + "' sid='SID' rid=' \n00RID '/>", ""},
	}
	for _, test := range tests {
		t.Run(test.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("wait='0'")
			rid := fmt.Sprint(first + 1)
			xml := strings.NewReplacer("IDS", "sid='"+c.sid+"' rid='"+rid+"'", "SID", c.sid, "RID", rid).Replace(test.xml)
			w.wantXML("answer", c.post(xml), empty)
			if got := w.backend.stream().received(); !sameAttributes(got, test.want) {
				t.Errorf("the backend got %q, want %q", got, test.want)
			}
		}))
	}
}

// sameAttributes compares elements whose attributes may stand in any order.
func sameAttributes(a, b string) bool {
	count := func(s string) map[string]int {
		m := make(map[string]int)
		for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" <>/", r) }) {
			m[word]++
		}
		return m
	}
	return fmt.Sprint(count(a)) == fmt.Sprint(count(b))
}

func TestRIDForms(t *testing.T) {
	for _, rid := range []string{"", " ", "0", "-1", "+5", "1e9", "1.0", "0x5", "abc", "5 5", "٥", "9007199254740992", "00000000000000005", "99999999999999999999"} {
		t.Run("B-06.12 B-14.2 T-14 "+rid, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("")
			w.wantXML("creation", w.post(body("rid='"+rid+"' to='be.test'", "")), terminal("bad-request"))
			w.wantXML("request", w.post(body("sid='"+c.sid+"' rid='"+rid+"'", "")), terminal("bad-request"))
			w.wantHeld("the right one", c.begin(c.at(1, "", "")))
		}))
	}
	t.Run("B-06.12 absent", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		w.wantXML("creation", w.post(body("to='be.test'", "")), terminal("bad-request"))
	}))
	for _, attr := range []string{"wait='x'", "hold='-1'", "ack='1.0'", "ver='1'", "ver='1.x'", "ver='a.b'", "type='stop'", "pause='soon'"} {
		t.Run("A-10 B-22.1 what we know must parse: "+attr, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			w.wantXML("creation", w.post(body("rid='5' to='be.test' "+attr, "")), terminal("bad-request"))
		}))
	}
}

// XEP-0335: JSON in a BOSH session.

func TestJSON(t *testing.T) {
	values := []string{
		`1`, `null`, `"x"`, `{"a":[1,2,{"b":"c"}]}`, `{ "a" : 1 ,
			"b" : 2 }`, `"<&>'\"]]>"`, `"é 漢 😀"`, `"\u0000\u001f"`, "\"\x7f\u2028\"", `"\ud800"`,
	}
	for _, value := range values {
		t.Run(value, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("wait='0'")
			escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
			for n, xml := range []string{
				"<json xmlns='urn:xmpp:json:0'>" + escape(value) + "</json>",
				"<j:json xmlns:j='urn:xmpp:json:0'>\n " + escape(value) + "\t</j:json>",
				"<json xmlns='urn:xmpp:json:0'>" + escape(value[:1]) + "<![CDATA[" + strings.ReplaceAll(value[1:], "]]>", "]]]]><![CDATA[>") + "]]></json>",
			} {
				w.wantXML("answer", c.post(c.at(n+1, "", xml)), empty)
			}
			for _, got := range w.backend.stream().got {
				if got != value {
					t.Errorf("the backend got %q", got)
				}
			}
			w.backend.stream().send(value)
			a := c.post(c.at(4, "", ""))
			w.wantXML("back", a, "<body xmlns='"+ns+"'><json xmlns='urn:xmpp:json:0'>"+escape(value)+"</json></body>")
		}))
	}

	t.Run("what XML cannot carry becomes an escape of JSON", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.backend.stream().send("[\"\ufffe\uffff\",\r\n\"\xff\"]")
		w.wantXML("answer", c.post(c.at(1, "", "")),
			"<body xmlns='"+ns+"'><json xmlns='urn:xmpp:json:0'>[\"\\ufffe\\uffff\",&#13;\n\"\ufffd\"]</json></body>")
	}))

	t.Run("JSON and XML side by side keep their order", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		r := c.begin(c.at(1, "", "<json xmlns='urn:xmpp:json:0'>1</json><a xmlns='u'/><json xmlns='urn:xmpp:json:0'>2</json><json xmlns='other'>3</json>"))
		w.wantReceived("all", "1 <a xmlns='u'/> 2 <json xmlns='other'>3</json>")
		time.Sleep(time.Second)
		w.backend.stream().send("true")
		w.wantXML("answer", r.answer(), "<body xmlns='"+ns+"'><json xmlns='urn:xmpp:json:0'>true</json></body>")
	}))
}
