package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A pushSession is a session of push.v1, over long-poll.
type pushSession struct {
	t            *testing.T
	url          string
	Session, Key string
	sent, polls  int
	ack          int
}

func newPushSession(t *testing.T, p *process) *pushSession {
	t.Helper()
	s := &pushSession{t: t, url: p.url + "/push"}
	if err := json.Unmarshal([]byte(call(t, "POST", s.url, "{}").wantStatus(t, 201).body), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *pushSession) post(members string) answer {
	s.t.Helper()
	return call(s.t, "POST", s.url, fmt.Sprintf(`{"session":%q,"key":%q,%s}`, s.Session, s.Key, members))
}

// say sends a message, and returns what the bus has to say to it.
func (s *pushSession) say(message string) answer {
	s.t.Helper()
	s.sent++
	s.post(fmt.Sprintf(`"first":%d,"messages":[%s]`, s.sent, message)).wantStatus(s.t, 200)
	return s.poll()
}

func (s *pushSession) poll() answer {
	s.t.Helper()
	s.polls++
	a := s.post(fmt.Sprintf(`"attach":%d,"ack":%d`, s.polls, s.ack))
	var o struct{ Messages []json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		s.t.Fatal(err)
	}
	s.ack += len(o.Messages)
	return a
}

func publish(t *testing.T, p *process, topic, data string) answer {
	t.Helper()
	return call(t, "POST", p.url+"/api/publish", fmt.Sprintf(`{"topic":%q,"data":%s}`, topic, data))
}

func body(attributes, payloads string) string {
	return `<body xmlns='http://jabber.org/protocol/httpbind' ` + attributes + `>` + payloads + `</body>`
}

// raw sends bytes on a connection of its own, and returns all that comes back.
func raw(t *testing.T, p *process, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", p.address[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, text)
	data, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%v after %q", err, data)
	}
	return string(data)
}

func want(t *testing.T, what, got, part string) {
	t.Helper()
	if !strings.Contains(got, part) {
		t.Errorf("%s: got %.300q, want %q in it", what, got, part)
	}
}

// Each limit of the program, with a flag that makes it small, is reached.
func TestLimits(t *testing.T) {
	const hello = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
	tests := []struct {
		flag string // and all that are set with it
		test func(t *testing.T, p *process)
	}{
		// Network
		{"--header-timeout=50ms", func(t *testing.T, p *process) {
			if got := raw(t, p, "GET /healthz HTTP/1.1\r\nHost: h\r\nX"); got != "" {
				t.Errorf("answered %q", got)
			}
		}},
		{"--body-timeout=50ms", func(t *testing.T, p *process) {
			want(t, "push", raw(t, p, "POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"), `"code":"slow"`)
			want(t, "BOSH", raw(t, p, "POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n<"), "policy-violation")
		}},
		{"--idle-timeout=1s", func(t *testing.T, p *process) {
			want(t, "the answer, and the end", raw(t, p, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"), "ok")
		}},
		{"--max-header=1KiB", func(t *testing.T, p *process) {
			want(t, "a large header", raw(t, p, hello+"X: "+strings.Repeat("x", 1<<10)+"\r\n\r\n"), "HTTP/1.1 431 ")
			want(t, "one that fits", raw(t, p, hello+"X: "+strings.Repeat("x", 900)+"\r\n\r\n"), "HTTP/1.1 200 ")
		}},
		{"--max-header-lines=5", func(t *testing.T, p *process) {
			want(t, "three more", raw(t, p, hello+strings.Repeat("X: x\r\n", 3)+"\r\n"), "HTTP/1.1 200 ")
			want(t, "four more", raw(t, p, hello+strings.Repeat("X: x\r\n", 4)+"\r\n"), "HTTP/1.1 431 ")
			h2 := &http.Transport{Protocols: new(http.Protocols)}
			h2.Protocols.SetUnencryptedHTTP2(true)
			defer h2.CloseIdleConnections()
			r, _ := http.NewRequest("GET", p.url+"/healthz", nil)
			r.Header["X"] = []string{"1", "2", "3", "4", "5", "6"}
			resp, err := h2.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Body.Close(); resp.StatusCode != 431 {
				t.Errorf("over HTTP/2: %s", resp.Status)
			}
		}},
		{"--max-connections=2", func(t *testing.T, p *process) { wantConnections(t, p, 2) }},
		{"--max-connections-per-ip=2 --trusted-proxies=192.0.2.1", func(t *testing.T, p *process) { wantConnections(t, p, 2) }},

		// Messages
		{"--max-body=1KiB", func(t *testing.T, p *process) {
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus'", strings.Repeat(" ", 1<<10))).wantBody(t, "policy-violation")
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus'", "")).wantBody(t, "sid='")
		}},
		{"--max-depth=5", func(t *testing.T, p *process) {
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus'", "<a><a><a><a><a/></a></a></a></a>")).wantBody(t, "policy-violation")
			call(t, "POST", p.url+"/push", `{"messages":[[[[[1]]]]]}`).wantStatus(t, 400).wantBody(t, "too deep, more than 5")
			publish(t, p, "t", `[[[[[]]]]]`).wantStatus(t, 400).wantBody(t, "too deep, more than 5")
			publish(t, p, "t", `[[[[]]]]`).wantStatus(t, 200)
		}},
		{"--max-attributes=5", func(t *testing.T, p *process) {
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus' a='' b=''", "")).wantBody(t, "sid='")
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus' a='' b='' c=''", "")).wantBody(t, "policy-violation")
		}},
		{"--max-payloads=2", func(t *testing.T, p *process) {
			call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus'", "<a xmlns='a'/><a xmlns='a'/><a xmlns='a'/>")).wantBody(t, "policy-violation")
		}},
		{"--push-max-body=1KiB", func(t *testing.T, p *process) {
			call(t, "POST", p.url+"/push", `{"messages":["`+strings.Repeat("x", 1<<10)+`"]}`).wantStatus(t, 413).wantBody(t, "too-big")
		}},
		{"--push-window=2", func(t *testing.T, p *process) {
			s := newPushSession(t, p)
			s.post(`"first":3,"messages":[1]`).wantStatus(t, 409).wantBody(t, `"code":"window"`)
			s.post(`"first":2,"messages":[1]`).wantStatus(t, 200)
		}},
		{"--bosh-repeats=2", func(t *testing.T, p *process) {
			sid := cut(call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus' ack='1' wait='1' hold='0'", "")).body, "sid='", "'")
			for range 2 {
				call(t, "POST", p.url+"/http-bind", body("rid='2' ack='1' sid='"+sid+"'", ""))
			}
			call(t, "POST", p.url+"/http-bind", body("rid='2' ack='1' sid='"+sid+"'", "")).wantStatus(t, 200)
			call(t, "POST", p.url+"/http-bind", body("rid='2' ack='1' sid='"+sid+"'", "")).wantBody(t, "policy-violation")
		}},

		// Sessions
		{"--max-streams=1", func(t *testing.T, p *process) {
			sid := cut(call(t, "POST", p.url+"/http-bind", body("rid='1' to='bus' ver='1.6' wait='1' hold='1'", "")).body, "sid='", "'")
			call(t, "POST", p.url+"/http-bind", body("rid='2' to='other' sid='"+sid+"'", "")).wantStatus(t, 200)
			call(t, "POST", p.url+"/http-bind", body("rid='3' sid='"+sid+"'", "")).wantBody(t, "policy-violation", "stream='")
		}},
		{"--max-ended=1", func(t *testing.T, p *process) {
			first, second := newPushSession(t, p), newPushSession(t, p)
			first.post(`"end":true`)
			first.post(`"attach":1`).wantStatus(t, 200).wantBody(t, `"end"`)
			second.post(`"end":true`)
			first.post(`"attach":2`).wantStatus(t, 410)
		}},
		{"--max-outbox=10KiB", func(t *testing.T, p *process) {
			s := newPushSession(t, p)
			s.say(`{"op":"subscribe","topic":"t"}`).wantBody(t, "subscribed")
			for range 20 {
				publish(t, p, "t", `"`+strings.Repeat("x", 1<<10)+`"`)
			}
			p.until(`session ended" .*condition=(overflow)`)
		}},

		// The event bus
		{"--max-message=100B", func(t *testing.T, p *process) {
			publish(t, p, "t", `"`+strings.Repeat("x", 98)+`"`).wantStatus(t, 200)
			publish(t, p, "t", `"`+strings.Repeat("x", 99)+`"`).wantStatus(t, 413)
		}},
		{"--max-topic-name=5", func(t *testing.T, p *process) {
			publish(t, p, "abcde", "1").wantStatus(t, 200)
			publish(t, p, "abcdef", "1").wantStatus(t, 400).wantBody(t, "longer than 5 bytes")
		}},
		{"--max-topics=2", func(t *testing.T, p *process) {
			publish(t, p, "a", "1").wantStatus(t, 200)
			publish(t, p, "b", "1").wantStatus(t, 200)
			publish(t, p, "c", "1").wantStatus(t, 503).wantBody(t, "too-many-topics")
		}},
		{"--max-topics-per-session=1", func(t *testing.T, p *process) {
			s := newPushSession(t, p)
			s.say(`{"op":"subscribe","topic":"a"}`).wantBody(t, `"subscribed"`)
			s.say(`{"op":"subscribe","topic":"b"}`).wantBody(t, `"too-many-topics"`)
		}},
		{"--max-history=1KiB", func(t *testing.T, p *process) {
			for range 20 {
				publish(t, p, "t", `"`+strings.Repeat("x", 100)+`"`)
			}
			s := newPushSession(t, p)
			said := s.say(`{"op":"subscribe","topic":"t","history":20}`).body
			for !strings.Contains(said, `"offset":20,"data"`) {
				said += s.poll().body
			}
			if n := strings.Count(said, `"type":"message"`); n < 1 || n > 10 {
				t.Errorf("%d messages are kept", n)
			}
		}},
		{"--max-message-ids=1", func(t *testing.T, p *process) {
			with := func(id string) answer {
				return call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":1,"id":"`+id+`"}`)
			}
			with("a").wantBody(t, `"offset":1`)
			with("a").wantBody(t, `"duplicate":true`)
			with("b").wantBody(t, `"offset":2`)
			with("a").wantBody(t, `"offset":3`)
		}},
		{"--max-receipts=1", wantOneReceipt},
		{"--max-receipts-per-session=1", wantOneReceipt},
		{"--max-members=1", func(t *testing.T, p *process) {
			newPushSession(t, p).say(`{"op":"subscribe","topic":"t","presence":1}`)
			s := newPushSession(t, p)
			s.say(`{"op":"subscribe","topic":"t","presence":2}`)
			s.say(`{"op":"presence","topic":"t"}`).wantBody(t, `"count":2`)
		}},
		{"--max-member-info=10B", func(t *testing.T, p *process) {
			newPushSession(t, p).say(`{"op":"subscribe","topic":"t","presence":"0123456789"}`).wantBody(t, `"too-big"`)
		}},
	}
	for _, test := range tests {
		t.Run(strings.TrimPrefix(strings.Fields(test.flag)[0], "--"), func(t *testing.T) {
			t.Parallel()
			test.test(t, start(t, append(strings.Fields(test.flag), "--push=on")...))
		})
	}
}

// wantConnections checks that there can be so many, and no more.
func wantConnections(t *testing.T, p *process, most int) {
	t.Helper()
	ask := func() (net.Conn, string) {
		c, err := net.Dial("tcp", p.address[0])
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		return c, line
	}
	var last net.Conn
	for range most {
		c, line := ask()
		want(t, "one that may come", line, "200")
		defer c.Close()
		last = c
	}
	for range 3 {
		c, line := ask()
		if c.Close(); line != "" {
			t.Errorf("one too many: %q", line)
		}
	}
	p.until("(too many connections)")
	last.Close()
	for {
		c, line := ask()
		if c.Close(); strings.Contains(line, "200") {
			return // the server had noticed
		}
	}
}

// What waits in all sessions together has a limit, and who comes then is told so
// in each protocol.
func TestMemoryBudget(t *testing.T) {
	p := start(t, someDomain, "--memory-budget=1MiB", "--gc-percent=10", "--push=on")
	s := newPushSession(t, p)
	s.say(`{"op":"subscribe","topic":"t"}`).wantBody(t, "subscribed")
	for range 19 { // kept in the history, half of the budget, and for the session
		publish(t, p, "t", `"`+strings.Repeat("x", 30<<10)+`"`).wantStatus(t, 200)
	}
	for strings.Contains(call(t, "GET", p.url+"/readyz", "").body, "ready") {
		call(t, "GET", p.url+"/metrics", "") // until garbage is collected, nobody knows what the heap has
	}
	call(t, "GET", p.url+"/readyz", "").wantStatus(t, 503).wantBody(t, "short of memory")
	for _, a := range []answer{
		call(t, "POST", p.url+"/push", "{}").wantBody(t, `"unavailable"`),
		call(t, "POST", p.url+"/http-bind", creation).wantBody(t, "policy-violation"),
		call(t, "GET", p.url+"/xmpp-websocket", "").wantBody(t, "short of memory"),
		call(t, "GET", p.url+"/push/ws", "").wantBody(t, "short of memory"),
	} {
		if a.wantStatus(t, 503); a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", a.Request.URL)
		}
	}
	s.poll().wantBody(t, `"message"`) // who is there, stays
	s.post(fmt.Sprintf(`"ack":%d`, s.ack)).wantStatus(t, 200)
	for !strings.Contains(call(t, "GET", p.url+"/readyz", "").body, "ready") {
	}
	call(t, "POST", p.url+"/push", "{}").wantStatus(t, 201)
}

// wantOneReceipt wants the first of two messages, and not the second, to have a
// receipt.
func wantOneReceipt(t *testing.T, p *process) {
	s := newPushSession(t, p)
	s.say(`{"op":"subscribe","topic":"t"}`)
	for range 2 {
		call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":1,"receipts":"r"}`).wantStatus(t, 200)
	}
	s.poll()
	s.say(`{"op":"subscribe","topic":"r","history":9}`)
	got := s.poll().body
	for !strings.Contains(got, `"topic":"r","offset":1`) {
		got = s.poll().body
	}
	publish(t, p, "r", `"last"`).wantBody(t, `"offset":2`)
}
