package websocket_test

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// RFC 7395 §3.2, §3.3
func TestMessages(t *testing.T) {
	t.Run("W-03.9, W-03.12: one element is one message, byte for byte", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		for _, message := range []string{
			`<message xmlns='jabber:client'  to = "a"><body>1 &lt; 2 &#x1F600; ☺</body></message>`,
			`<iq xmlns="jabber:client"><![CDATA[<]]></iq >`,
			`<c:presence xmlns:c="jabber:client"/>`,
			`<r xmlns="urn:xmpp:sm:3"/>`,
		} {
			c.say(message)
			b.wantFrame("from the client", message)
			b.say(message)
			c.want("to the client", message)
		}
	}))
	t.Run("W-03.12: several frames are several messages, and leave together", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		c, b := s.open()
		before := s.writes.Load()
		b.say(`<first xmlns="urn:1"/>`) // waits for its reader, and the others behind it
		synctest.Wait()
		for n := range 100 {
			b.say(fmt.Sprintf(`<a xmlns="urn:%d"/>`, n))
		}
		c.want("the first", `<first xmlns="urn:1"/>`)
		for n := range 100 {
			c.want("the others", fmt.Sprintf(`<a xmlns="urn:%d"/>`, n))
		}
		if n := s.writes.Load() - before; n != 2 {
			t.Errorf("%d writes", n)
		}
	}))
	t.Run("W-03.12: more than fits goes in pieces", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(`<first xmlns="urn:1"/>`)
		synctest.Wait()
		long := `<a xmlns="urn:1">` + strings.Repeat("x", 7000) + `</a>`
		longer := `<a xmlns="urn:1">` + strings.Repeat("x", 70_000) + `</a>`
		frames := []string{long, long, long, longer, `<a xmlns="urn:2"/>`, long}
		for _, f := range frames {
			b.say(f)
		}
		c.want("the first", `<first xmlns="urn:1"/>`)
		for _, f := range frames {
			c.want("in order", f)
		}
	}))
	t.Run("W-03.29, W-03.11: white space of the backend is never sent", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		b.say(" ")
		b.say("")
		b.say("\r\n\t<a xmlns=\"urn:1\"/>\n")
		c.want("what is left", `<a xmlns="urn:1"/>`)
	}))
	t.Run("S-05.6, S-05.7, S-05.15: a message in fragments, a ping between them", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		const message = `<message xmlns="jabber:client"><body>☺</body></message>`
		cut := strings.Index(message, "☺") + 1 // in the middle of the character
		w := c.NetConn()
		writeFrame(t, w, 0x01, message[:9])
		writeFrame(t, w, 0x00, message[9:cut])
		pong := make(chan string, 1)
		c.SetPongHandler(func(data string) error { pong <- data; return nil })
		writeFrame(t, w, 0x89, "abc")
		go c.ReadMessage()
		if got := <-pong; got != "abc" {
			t.Errorf("pong %q", got)
		}
		writeFrame(t, w, 0x80, message[cut:])
		b.wantFrame("the whole", message)
	}))
	t.Run("a compressed message counts by what it becomes", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Compression = true
		c, b := startXMPP(t, o).open()
		said := c.sayAside(`<a xmlns="urn:1">` + strings.Repeat("x", 5000) + `</a>`)
		c.wantError("S-10.2", "policy-violation")
		c.want("the end", closeStream)
		<-said
		b.wantEnd("for the backend", transport.TooBig)
	}))
	t.Run("a backend that is behind holds the client back, and that way only", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		frame := `<a xmlns="urn:1">` + strings.Repeat("x", 4000) + `</a>`
		const frames = 400
		var said atomic.Int32
		go func() {
			for range frames {
				c.say(frame)
				said.Add(1)
			}
		}()
		synctest.Wait()
		if n := said.Load(); n == frames {
			t.Error("all was taken, and nothing of it read")
		}
		b.say(`<a xmlns="urn:1"/>`)
		c.want("the other way", `<a xmlns="urn:1"/>`)
		for range frames {
			b.wantFrame("all of it", frame)
		}
	}))
}

// writeFrame writes a frame of a client by hand, masked with zeros.
func writeFrame(t *testing.T, w net.Conn, first byte, data string) {
	t.Helper()
	frame := append([]byte{first, 0x80 | byte(len(data)), 0, 0, 0, 0}, data...)
	if _, err := w.Write(frame); err != nil {
		t.Fatal(err)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d='' ", i)
	}
	return b.String()
}

// What cannot be part of a stream ends it, once, and the backend is told.
func TestBadMessages(t *testing.T) {
	for _, test := range []struct {
		name, message, condition string
		end                      transport.Condition
	}{
		{"W-03.11: white space in front", ` <a xmlns="urn:1"/>`, "not-well-formed", transport.BadRequest},
		{"W-03.12: two elements", `<a xmlns="urn:1"/><a xmlns="urn:1"/>`, "not-well-formed", transport.BadRequest},
		{"W-03.12: half an element", `<a xmlns="urn:1">`, "not-well-formed", transport.BadRequest},
		{"W-03.29: white space alone", " \n", "not-well-formed", transport.BadRequest},
		{"W-03.29: nothing", "", "not-well-formed", transport.BadRequest},
		{"W-03.7: the end of a TCP stream", `</stream:stream>`, "not-well-formed", transport.BadRequest},
		{"W-03.7: another stream in it", `<s:stream xmlns:s="http://etherx.jabber.org/streams"/>`, "not-well-formed", transport.BadRequest},
		{"W-03.8: a restart in another namespace", `<open xmlns="jabber:client"/>`, "invalid-namespace", transport.BadRequest},
		{"W-03.8: an end in another namespace", `<close xmlns="jabber:client"/>`, "invalid-namespace", transport.BadRequest},
		{"W-03.9: a stanza without its namespace", `<message/>`, "invalid-namespace", transport.BadRequest},
		{"W-X.1, W-03.5: not XML", `{}`, "not-well-formed", transport.BadRequest},
		{"W-X.1: a prefix nobody declared", `<a:b/>`, "not-well-formed", transport.BadRequest},
		{"W-X.1: a comment", `<a xmlns="urn:1"><!-- --></a>`, "restricted-xml", transport.BadRequest},
		{"W-X.1: a processing instruction", `<a xmlns="urn:1"><?b?></a>`, "restricted-xml", transport.BadRequest},
		{"W-X.1: a document type", `<!DOCTYPE a><a xmlns="urn:1"/>`, "restricted-xml", transport.BadRequest},
		{"W-X.1: an entity", `<a xmlns="urn:1">&b;</a>`, "restricted-xml", transport.BadRequest},
		{"W-X.1: another encoding", `<?xml version="1.0" encoding="latin1"?><a xmlns="urn:1"/>`, "unsupported-encoding", transport.BadRequest},
		{"W-X.1: an entity that grows", `<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a xmlns="urn:1">&c;</a>`, "restricted-xml", transport.BadRequest},
		{"W-X.1: an attribute twice", `<a xmlns="urn:1" b="" b=""/>`, "not-well-formed", transport.BadRequest},
		{"W-X.1: a character of no XML", "<a xmlns='urn:1'>\x01</a>", "not-well-formed", transport.BadRequest},
		{"W-X.1: UTF-16 that happens to be UTF-8", "\x00<\x00a\x00/\x00>", "not-well-formed", transport.BadRequest},
		{"S-10.2: ten thousand levels", strings.Repeat(`<a>`, 1300), "policy-violation", transport.Policy},
		{"S-10.2: many attributes", "<a xmlns='urn:1' " + manyAttributes(500) + "/>", "policy-violation", transport.Policy},
		{"S-10.2: too deep", strings.Repeat(`<a xmlns="">`, 200) + strings.Repeat(`</a>`, 200), "policy-violation", transport.Policy},
	} {
		t.Run("W-03.17, S-10.5, "+test.name, bubble(func(t *testing.T) {
			c, b := startXMPP(t, xmppOptions()).open()
			b.say(`<owed xmlns="urn:1"/>`)
			c.want("what is owed", `<owed xmlns="urn:1"/>`)
			c.say(test.message)
			c.wantError("W-03.18", test.condition)
			c.want("W-03.20", closeStream)
			c.say(`<message xmlns="jabber:client"/>`)
			c.say(closeStream)
			c.wantCode("W-X.1", 1000)
			b.wantEnd("for the backend", test.end)
			if len(b.got) != 0 {
				t.Errorf("the backend got %q", <-b.got)
			}
		}))
	}
	t.Run("S-10.2, S-07.6: one byte above the limit", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		frame := `<a xmlns="urn:1">` + strings.Repeat("x", 4096-len(`<a xmlns="urn:1"></a>`)) + `</a>`
		c.say(frame)
		b.wantFrame("at the limit", frame)
		said := c.sayAside(strings.Replace(frame, "x", "xx", 1))
		c.wantError("above", "policy-violation")
		c.want("the end", closeStream)
		<-said
		c.say(closeStream)
		c.wantCode("at last", 1009)
		b.wantEnd("for the backend", transport.TooBig)
	}))
	for _, test := range []struct {
		name    string
		kind    int
		message string
		code    int
	}{
		{"W-03.6, S-07.6: a binary message", gorilla.BinaryMessage, `<a xmlns="urn:1"/>`, 1003},
		{"W-03.6, S-05.15, S-07.6, T-28: invalid UTF-8", gorilla.TextMessage, "<a xmlns='urn:1'>\xff</a>", 1007},
		{"S-05.15: a surrogate", gorilla.TextMessage, "<a xmlns='urn:1'>\xed\xa0\x80</a>", 1007},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			c, b := startXMPP(t, xmppOptions()).open()
			if err := c.WriteMessage(test.kind, []byte(test.message)); err != nil {
				t.Fatal(err)
			}
			c.wantCode("at once", test.code)
			b.wantEnd("for the backend", transport.Inactive)
		}))
		t.Run(test.name+", first", bubble(func(t *testing.T) {
			c := startXMPP(t, xmppOptions()).dial()
			if err := c.WriteMessage(test.kind, []byte(test.message)); err != nil {
				t.Fatal(err)
			}
			c.wantCode("at once", test.code)
		}))
	}
}

// RFC 7395 §3.8
func TestLiveness(t *testing.T) {
	t.Run("W-03.30: an idle client gets pings, and lives by its pongs", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		start, pings := time.Now(), make(chan time.Duration, 100)
		answer := c.PingHandler()
		c.SetPingHandler(func(data string) error {
			pings <- time.Since(start)
			return answer(data)
		})
		time.AfterFunc(10*time.Minute+time.Second, func() { b.say(`<late xmlns="urn:1"/>`) })
		c.want("W-03.29: nothing else", `<late xmlns="urn:1"/>`)
		if len(pings) != 24 || <-pings != push.DefaultPing {
			t.Errorf("%d pings", len(pings))
		}
	}))
	t.Run("W-03.30, T-28: so does one that only listens", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		go func() {
			for range 300 {
				time.Sleep(time.Second)
				b.say(`<a xmlns="urn:1"/>`)
			}
		}()
		for range 300 {
			c.want("all the time", `<a xmlns="urn:1"/>`)
		}
	}))
	t.Run("W-03.30, S-07.6: a client whose pongs stay away is gone", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		c.SetPingHandler(func(string) error { return nil })
		c.wantCode("after the silence", 1001)
		b.wantEnd("for the backend", transport.Inactive)
	}))
	t.Run("a client that reads nothing is gone", bubble(func(t *testing.T) {
		s := startXMPP(t, xmppOptions())
		_, b := s.open()
		start := time.Now()
		b.say(`<a xmlns="urn:1"/>`)
		b.wantEnd("for the backend", transport.Inactive)
		if waited := time.Since(start); waited != push.DefaultWriteTimeout {
			t.Errorf("after %v", waited)
		}
		synctest.Wait()
		if n := s.manager.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions live on", n)
		}
	}))
	t.Run("who reads slowly but reads is not", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).open()
		for range 20 { // longer than the session would live without a pull
			b.say(`<a xmlns="urn:1"/>`)
			time.Sleep(9 * time.Second)
			c.want("in the end", `<a xmlns="urn:1"/>`)
		}
	}))
}
