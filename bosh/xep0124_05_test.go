package bosh_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/bosh"
)

// What real clients and pages send: XEP-0124 §5, §7.1, and browsers.
func TestRequestsAsTheyCome(t *testing.T) {
	t.Run("B-05.3 no header but what HTTP demands", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		conn := w.dial()
		in := bufio.NewReader(conn)
		for n := 1; n <= 3; n++ {
			xml := c.at(n, "", payload(n))
			w.wantXML("request", w.raw(conn, in, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(xml), xml)), empty)
		}
	}))

	t.Run("H-03 without a host, or with two, it is no request", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		xml := c.at(1, "", "")
		for _, hosts := range []string{"", "Host: a\r\nHost: b\r\n"} {
			conn := w.dial()
			a := w.raw(conn, bufio.NewReader(conn), fmt.Sprintf("POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", hosts, len(xml), xml))
			if a.status != 400 {
				t.Errorf("%q: %d %v", hosts, a.status, a.err)
			}
		}
	}))

	for _, route := range []string{"xmpp:a_b.test:5222", "xmpp:[::1]:5222", "xmpp:be.test:9999", "xmpp://h", "5222", ""} {
		t.Run("B-07.12 B-07.13 T-39 a route is no URI, no error, and leads nowhere: "+route, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			w.create("route='" + route + "'")
			if target := w.backend.stream().Target(); target != "be.test" || w.backend.opened() != 1 {
				t.Errorf("%d streams, to %q", w.backend.opened(), target)
			}
		}))
	}

	t.Run("B-17.23 errors of payloads pass untouched", bubble(func(t *testing.T) {
		const failed = "<message xmlns='jabber:client' type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
		w := newWorld(t, xmpp(opening, features))
		c := w.create("")
		before := w.backend.stream().received()
		poll := c.begin(c.at(1, "", failed))
		if got := strings.TrimPrefix(w.backend.stream().received(), before+" "); got != failed {
			t.Errorf("the server got %s", got)
		}
		w.backend.stream().send(failed)
		w.wantXML("the client", poll.answer(), "<body xmlns='"+ns+"'>"+failed+"</body>")
	}))

	t.Run("C-14 a page that is left says so without asking first", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Origins: []string{"https://page.test"}}})
		c := w.create("")
		r := w.request(t.Context(), c.at(1, "type='terminate'", payload(1)))
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		r.Header.Set("Origin", "https://page.test")
		w.wantXML("beacon", w.do(r), ended)
		w.wantReceived("beacon", payload(1)+" closed")
	}))
}
