package xmpp

import (
	"io"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// What client and server negotiate is theirs: it passes as it is written, in
// order, nothing is added, and no restart is asked for that is not mandated.
func TestWhatIsBetweenClientAndServer(t *testing.T) {
	const sasl, sm = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:xmpp:sm:3"
	for _, c := range []struct{ name, said string }{ // "C: " by the client, "S: " by the server, a line each
		{"R-06.1 R-06.5 a login in several steps", `
C: <auth xmlns='` + sasl + `' mechanism='SCRAM-SHA-256'>biwsbj11c2VyLHI9cg==</auth>
S: <challenge xmlns='` + sasl + `'>cj1y</challenge>
C: <response xmlns='` + sasl + `'>Yz1iaXdz</response>
S: <success xmlns='` + sasl + `'>dj1y</success>`},
		{"R-06.4 an empty answer is not no answer", `
C: <auth xmlns='` + sasl + `' mechanism='EXTERNAL'>=</auth>
S: <challenge xmlns='` + sasl + `'>=</challenge>
C: <response xmlns='` + sasl + `'/>`},
		{"R-06.6 several tries", `
C: <auth xmlns='` + sasl + `' mechanism='PLAIN'>AGEAYg==</auth>
S: <failure xmlns='` + sasl + `'><not-authorized/></failure>
C: <abort xmlns='` + sasl + `'/>
S: <failure xmlns='` + sasl + `'><aborted/></failure>
C: <auth xmlns='` + sasl + `' mechanism='PLAIN'>AGEAYw==</auth>
S: <success xmlns='` + sasl + `'/>`},
		{"T-10 M-09.1 SASL2 knows no restart, and resumes without features", `
C: <authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGEAYg==</initial-response><resume xmlns='` + sm + `' h='1' previd='x'/></authenticate>
S: <success xmlns='urn:xmpp:sasl:2'><resumed xmlns='` + sm + `' h='2' previd='x'/></success>
C: <message xmlns='jabber:client' to='b'/>
S: <a xmlns='` + sm + `' h='3'/>`},
		{"R-07.2 the server's answer to a bind", `
C: <iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>
S: <iq xmlns='jabber:client' type='result' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@im.example/x</jid></bind></iq>`},
		{"M-03.1 M-03.2 M-04.1 M-04.2 M-04.4 stream management, in which nobody else counts", `
C: <enable xmlns='` + sm + `' resume='true'/>
S: <enabled xmlns='` + sm + `' id='` + strings.Repeat("i", 4000) + `' location='[2001:db8::1]:5222' resume='true'/>
C: <message xmlns='jabber:client' to='b'/>
C: <r xmlns='` + sm + `'/>
S: <a xmlns='` + sm + `' h='1'/>
S: <r xmlns='` + sm + `'/>
C: <a xmlns='` + sm + `' h='0'/>`},
		{"M-05.1 M-05.2 M-05.4 a resumption that fails leaves the stream open", `
C: <resume xmlns='` + sm + `' previd='` + strings.Repeat("i", 4000) + `' h='5'/>
S: <failed xmlns='` + sm + `'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>
C: <iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`},
		{"R-11.5 payloads that no schema knows", `
C: <message xmlns='jabber:client' foo='bar'><x/><y xmlns='urn:y' z=''/></message>
S: <message xmlns='jabber:client' foo='bar'><x/><y xmlns='urn:y' z=''/></message>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.begin()
				for line := range strings.SplitSeq(strings.TrimSpace(c.said), "\n") {
					if text, ok := strings.CutPrefix(line, "C: "); ok {
						w.say(text)
						w.wantBytes("to the server", text)
						continue
					}
					text := strings.TrimPrefix(line, "S: ")
					w.write(text)
					// The language of the server's header, which is left out here.
					name, rest, _ := strings.Cut(text, " ")
					w.wantFrame("to the client", name+" xml:lang='en' "+rest)
				}
			})
		})
	}
	t.Run("R-13.2 10,000 bytes, whatever the limit", func(t *testing.T) {
		opts := noTLS()
		opts.MaxStanza = 1
		inBubble(t, opts, func(w *world) {
			w.begin()
			stanza := "<message xmlns='jabber:client'>" + strings.Repeat("x", 10_000-len("<message xmlns='jabber:client'></message>")) + "</message>"
			w.say(stanza)
			w.wantBytes("to the server", stanza)
			go io.WriteString(w.server, stanza)
			if got := w.next(); len(got) < len(stanza) {
				t.Errorf("got %d bytes, %v", len(got), w.end)
			}
		})
	})
	t.Run("R-10.1 in order", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			var all, back strings.Builder
			for n := range 50 {
				stanza := "<message xmlns='jabber:client' id='" + strings.Repeat("i", n) + "'/>"
				all.WriteString(stanza)
				back.WriteString(stanza)
				w.say(stanza)
			}
			w.wantBytes("to the server", all.String())
			go io.WriteString(w.server, back.String())
			for n := range 50 {
				w.wantFrame("to the client", "<message xml:lang='en' xmlns='jabber:client' id='"+strings.Repeat("i", n)+"'/>")
			}
		})
	})
	for _, condition := range []string{
		"<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>",
		"<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>",
		"<nobody-knows-this xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>",
		"<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>",
	} {
		t.Run("R-04.17 R-04.25 R-04.27 M-05.3 M-06.1 the server's error: "+condition, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.begin()
				w.write("<stream:error>" + condition + "</stream:error>")
				w.wantBytes("R-04.23", endTag)
				w.server.Close()
				w.wantEnd("the client", transport.BackendError, "")
				if p := w.end.Payload; len(p) != 1 || !strings.Contains(string(p[0].Data), ">"+condition+"</stream:error>") {
					t.Errorf("got %q", p)
				}
			})
		})
	}
}
