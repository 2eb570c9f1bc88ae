package xmpp

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
)

func TestBounce(t *testing.T) {
	t.Attr("requirements", "X-07.1 X-07.2 X-07.3 X-07.5 R-08.1")
	for _, c := range []struct{ name, sent, want string }{
		{"X-07.3 a message", "<message from='b@y' id='1'><body>x</body></message>",
			"<message type='error' to='b@y' id='1'><error type='wait'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
		{"X-07.3 not an error", "<message type='error' from='b@y'/>", ""},
		{"X-07.2 a request", "<iq type='get' from='b@y' id='&amp;2'><q xmlns='u'/></iq>",
			"<iq type='error' to='b@y' id='&amp;2'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"},
		{"X-07.2 of the account itself", "<iq type='set' id='3'/>",
			"<iq type='error' id='3'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"},
		{"X-07.2 not a result", "<iq type='result' from='b@y' id='4'/>", ""},
		{"X-07.1 not presence", "<presence from='b@y'/>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.begin()
				w.write(c.sent + "<presence/>") // what comes last is not lost on the way
				synctest.Wait()
				go w.s.Terminate(&transport.Termination{Condition: transport.Inactive})
				w.wantBytes("before the end", c.want+endTag)
			})
		})
	}
}

func TestBounceNotWhereTheClientMayResume(t *testing.T) {
	t.Attr("requirements", "T-32 M-07.1")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		w.write("<enabled xmlns='urn:xmpp:sm:3' resume='true' id='x'/>")
		w.next()
		w.write("<message from='b@y'/>")
		synctest.Wait()
		go w.s.Terminate(&transport.Termination{Condition: transport.Inactive})
		if got, _ := io.ReadAll(w.server); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
	})
}
