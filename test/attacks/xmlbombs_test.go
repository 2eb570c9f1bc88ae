package attacks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func deadline() time.Time { return time.Now().Add(patience) }

// XML that grows when it is read, or takes too much to be read, is refused: over
// BOSH and over WebSocket.
func TestXMLBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE b [<!ENTITY a0 "ha">`)
	for n := range 30 {
		fmt.Fprintf(&laughs, `<!ENTITY a%d "&a%d;&a%d;">`, n+1, n, n)
	}
	laughs.WriteString(`]>`)
	attributes := ""
	for n := range 10_000 {
		attributes += fmt.Sprintf(" a%d=''", n)
	}
	namespaces := ""
	for n := range 10_000 {
		namespaces += fmt.Sprintf(" xmlns:n%d='urn:x'", n)
	}
	const ns = "xmlns='jabber:client'"
	bombs := []struct{ name, before, payload string }{
		{"a billion laughs", laughs.String(), "<message " + ns + "><body>&a30;</body></message>"},
		{"a billion laughs, inside", "", laughs.String() + "<message " + ns + ">&a30;</message>"},
		{"an external entity", `<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>`, "<message " + ns + ">&x;</message>"},
		{"an external subset", `<!DOCTYPE b SYSTEM "http://127.0.0.1:1/x.dtd">`, "<message " + ns + "/>"},
		{"an entity that nobody declared", "", "<message " + ns + ">&x;</message>"},
		{"depth", "", "<m " + ns + ">" + strings.Repeat("<a>", 20_000) + strings.Repeat("</a>", 20_000) + "</m>"},
		{"attributes", "", "<m " + ns + attributes + "/>"},
		{"namespaces", "", "<m " + ns + namespaces + "/>"},
		{"a name without end", "", "<" + strings.Repeat("a", 200_000) + " " + ns + "/"},
		{"children", "", strings.Repeat("<m "+ns+"/>", 20_000)},
		{"a processing instruction", "", "<m " + ns + "><?php evil ?></m>"},
		{"a comment", "", "<m " + ns + "><!-- x --></m>"},
		{"CDATA without end", "", "<m " + ns + "><![CDATA[x</m>"},
		{"a character that is none", "", "<m " + ns + ">&#0;</m>"},
		{"UTF-7", `<?xml version='1.0' encoding='UTF-7'?>`, "<m " + ns + "/>"},
		{"UTF-16", "\xff\xfe", "<m " + ns + "/>"},
		{"overlong UTF-8", "", "<m " + ns + ">\xc0\xaf</m>"},
	}
	s := serve(t, "--xmpp=a.example=127.0.0.1:1?tls=off", "--connect-retry=-1s")
	for _, b := range bombs {
		t.Run(b.name+" to BOSH", func(t *testing.T) {
			sid := s.bosh("")
			start := time.Now()
			a := s.call("POST", "/http-bind", b.before+body("rid='2' sid='"+sid+"'", b.payload))
			if !strings.Contains(a.body, "bad-request") && !strings.Contains(a.body, "policy-violation") {
				t.Errorf("answered %s %s", a.Status, a.body)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
		t.Run(b.name+" to a WebSocket", func(t *testing.T) {
			d := websocket.Dialer{Subprotocols: []string{"xmpp"}}
			ws, _, err := d.Dial("ws://"+s.addr+"/xmpp-websocket", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			ws.SetReadDeadline(deadline())
			ws.WriteMessage(websocket.TextMessage, []byte(b.before+strings.Replace(b.payload, ns, "xmlns='urn:ietf:params:xml:ns:xmpp-framing'", 1)))
			var told strings.Builder
			for {
				_, data, err := ws.ReadMessage()
				if err != nil {
					break
				}
				told.Write(data)
				if strings.Contains(string(data), "<close") {
					ws.WriteMessage(websocket.TextMessage, []byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
				}
			}
			wantNot(t, "what it was told", told.String(), "root:")
			if !strings.Contains(told.String(), "stream:error") && !strings.Contains(told.String(), "error") && told.Len() > 0 {
				t.Errorf("it was told %s", told.String())
			}
		})
	}
	s.wantWell()
}
