package attacks

import (
	"fmt"
	"strings"
	"testing"
)

// Whoever has seen a request and sends it again, from elsewhere, has no effect
// that the request did not have already.
func TestReplayFromElsewhere(t *testing.T) {
	const here, elsewhere = "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.9"
	published := func(s *server, topic string) int {
		a := s.call("POST", "/api/publish", fmt.Sprintf(`{"topic":%q,"data":"probe"}`, topic))
		var offset int
		_, rest, _ := strings.Cut(a.body, `"offset":`)
		fmt.Sscan(rest, &offset)
		return offset - 1
	}
	t.Run("BOSH", func(t *testing.T) {
		s := serve(t)
		sid := s.bosh("ack='1'")
		request := body("rid='2' ack='1' sid='"+sid+"'", `<json xmlns='urn:xmpp:json:0'>{"op":"publish","topic":"bosh","data":1}</json>`)
		first := s.call("POST", "/http-bind", request, here)
		for range 5 {
			if again := s.call("POST", "/http-bind", request, elsewhere); again.body != first.body {
				t.Errorf("the replay is told %s, not %s", again.body, first.body)
			}
		}
		if n := published(s, "bosh"); n != 1 {
			t.Errorf("published %d times", n)
		}
	})
	t.Run("BOSH with keys: only what the client itself could send", func(t *testing.T) {
		s := serve(t)
		sid := s.bosh("newkey='ca393b51b682f61f98e7877d61146407f3d0a770'")
		request := body("rid='2' key='bfb06a6f113cd6fd3838ab9d300fdb4fe3da2f7d' sid='"+sid+"'", "")
		want(t, "the client", s.call("POST", "/http-bind", request, here).Status, "200")
		want(t, "who has the sid, and no key", s.call("POST", "/http-bind", body("rid='3' key='00' sid='"+sid+"'", ""), elsewhere).body, "type='terminate'")
	})
	t.Run("push.v1", func(t *testing.T) {
		s := serve(t)
		r := newReader(t, s, "t")
		request := fmt.Sprintf(`{"session":%q,"key":%q,"first":2,"messages":[{"op":"publish","topic":"push","data":1}]}`, r.o.Session, r.o.Key)
		for range 5 {
			want(t, "each", s.call("POST", "/push", request, elsewhere).body, `{"ack":2}`)
		}
		if n := published(s, "push"); n != 1 {
			t.Errorf("published %d times", n)
		}
		poll := fmt.Sprintf(`{"session":%q,"key":%q,"attach":1,"ack":0}`, r.o.Session, r.o.Key)
		r.poll("published")
		want(t, "an old poll", s.call("POST", "/push", poll, elsewhere).body, `"replaced":true`)
		r.wantMessage("the poll was not stolen")
	})
	t.Run("a ticket", func(t *testing.T) {
		s := serve(t)
		r := newReader(t, s, "t")
		a := s.call("POST", "/push/sse", fmt.Sprintf(`{"session":%q,"key":%q,"attach":7,"ack":1}`, r.o.Session, r.o.Key))
		_, ticket, _ := strings.Cut(a.body, `"ticket":"`)
		ticket, _, _ = strings.Cut(ticket, `"`)
		stream := s.dial()
		fmt.Fprintf(stream, "GET /push/sse?ticket=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", ticket)
		head := make([]byte, 12)
		stream.Read(head)
		want(t, "the first", string(head), "200")
		if again := s.call("GET", "/push/sse?ticket="+ticket, "", elsewhere); again.StatusCode != 409 {
			t.Errorf("the second: %s %s", again.Status, again.body)
		}
	})
}
