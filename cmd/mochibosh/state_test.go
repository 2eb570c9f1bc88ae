package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// A pusher is a session of push.v1, whichever process has it.
type pusher struct {
	t            *testing.T
	url          string
	session, key string
}

func newPush(t *testing.T, p *process) *pusher {
	t.Helper()
	s := &pusher{t: t, url: p.url}
	a := call(t, "POST", p.url+"/push", "{}").wantStatus(t, 201)
	if err := json.Unmarshal([]byte(a.body), &struct{ Session, Key *string }{&s.session, &s.key}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *pusher) post(members string) answer {
	s.t.Helper()
	return call(s.t, "POST", s.url+"/push", fmt.Sprintf(`{"session":%q,"key":%q,%s}`, s.session, s.key, members))
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--state-dir="+dir, "--shutdown-spread=0s")
	s := newPush(t, p)
	s.post(`"first":1,"messages":[{"op":"subscribe","topic":"t"},{"op":"publish","topic":"t","data":1,"id":"once"}]`).wantStatus(t, 200)
	call(t, "POST", p.url+"/http-bind", creation).wantStatus(t, 200)
	over := &boshSpeaker{t: t, url: p.url, rid: 0}
	over.post("to='bus' ver='1.6' wait='1' hold='1'", "")
	over.sid = cut(over.came, "sid='", "'")
	over.say(`<json xmlns='urn:xmpp:json:0'>{"op":"subscribe","topic":"t","history":9}</json>`)
	over.until(`"subscribed"`, `"offset":1`)

	ws, _, err := (&websocket.Dialer{Subprotocols: []string{"push.v1"}}).Dial("ws"+strings.TrimPrefix(p.url, "http")+"/push/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ws.WriteMessage(websocket.TextMessage, []byte("{}"))
	if _, _, err := ws.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	events := newPush(t, p)
	stream := make(chan string, 1)
	go func() {
		stream <- call(t, "GET", p.url+"/push/sse?attach=1&session="+events.session, "", "Authorization: Bearer "+events.key).body
	}()
	until(t, func() bool {
		return strings.Contains(call(t, "GET", p.url+"/metrics", "").body, `mochibosh_http_requests_open{endpoint="sse"} 1`)
	})
	p.signal(syscall.SIGTERM)
	t.Run("clients are told when to come back, where the protocol can", func(t *testing.T) {
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
			t.Errorf("WebSocket: %v", err)
		}
		if body := <-stream; !strings.Contains(body, "retry: 1000\n") {
			t.Errorf("SSE: %q", body)
		}
	})
	p.wantExit(0)

	p = start(t, "--state-dir="+dir, "--shutdown-spread=0s")
	s.url, over.url = p.url, p.url
	t.Run("a session goes on, with its stream and its topics", func(t *testing.T) {
		s.post(`"first":2,"messages":[{"op":"publish","topic":"t","data":1,"id":"once"},{"op":"publish","topic":"t","data":2}]`).
			wantStatus(t, 200).wantBody(t, `{"ack":3}`)
		a := s.post(`"attach":1,"ack":0,"wait":1`).wantStatus(t, 200)
		if n := strings.Count(a.body, `"data":1`); n != 1 {
			t.Errorf("%d times in %s", n, a.body)
		}
	})
	t.Run("so does one of BOSH, with its window and its last answer", func(t *testing.T) {
		over.rid--
		over.say(`<json xmlns='urn:xmpp:json:0'>{"op":"subscribe","topic":"t","history":9}</json>`)
		over.until(`"offset":2,"data":2`)
	})
	t.Run("what an earlier process has left counts once", func(t *testing.T) {
		p.signal(syscall.SIGKILL)
		<-p.exited
		s.url = start(t, "--state-dir="+dir).url
		s.post(`"attach":2,"ack":0,"wait":0`).wantStatus(t, 410)
	})
}

// until waits until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it never is so")
		}
	}
}

func TestKill(t *testing.T) {
	for _, durability := range []string{"interval", "exchange"} {
		t.Run(durability, func(t *testing.T) {
			dir := t.TempDir()
			p := start(t, "--state-dir="+dir, "--durability="+durability)
			s := newPush(t, p)
			s.post(`"first":1,"messages":[{"op":"subscribe","topic":"t"}]`).wantBody(t, `{"ack":1}`)
			for n := range 20 {
				s.post(fmt.Sprintf(`"first":%d,"messages":[{"op":"publish","topic":"t","data":%d}]`, n+2, n)).wantStatus(t, 200)
			}
			call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":"last"}`).wantStatus(t, 200)
			p.signal(syscall.SIGKILL)
			<-p.exited
			s.url = start(t, "--state-dir="+dir, "--durability="+durability).url
			// The last post was acknowledged; here its answer is lost.
			s.post(`"first":21,"messages":[{"op":"publish","topic":"t","data":19}]`).wantBody(t, `{"ack":21}`)
			s.post(`"first":22,"messages":[{"op":"publish","topic":"t","data":"end"}]`).wantBody(t, `{"ack":22}`)
			var came string
			for attach, ack := 1, 0; !strings.Contains(came, `"end"`); attach++ {
				var o struct {
					First    int
					Messages []json.RawMessage
				}
				a := s.post(fmt.Sprintf(`"attach":%d,"ack":%d,"wait":20`, attach, ack)).wantStatus(t, 200)
				if err := json.Unmarshal([]byte(a.body), &o); err != nil {
					t.Fatal(err)
				}
				came += a.body
				ack = o.First + len(o.Messages) - 1
			}
			for n := range 20 {
				if got := strings.Count(came, fmt.Sprintf(`"data":%d}`, n)); got != 1 {
					t.Errorf("message %d came %d times", n, got)
				}
			}
			if got := strings.Count(came, `"data":"last"`); got != 1 {
				t.Errorf("what was published over HTTP came %d times", got)
			}
		})
	}
}

func TestStateIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	if err := os.WriteFile(file, []byte("not what we write"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--state-dir="+dir)
	call(t, "GET", p.url+"/readyz", "").wantStatus(t, 200)
	if said := p.said(); !strings.Contains(said, file) || !strings.Contains(said, "refused") {
		t.Errorf("it says %s", said)
	}
	aside, _ := filepath.Glob(file + ".refused-*")
	if len(aside) != 1 {
		t.Fatalf("kept: %v", aside)
	}
	t.Run("and a directory that is in use", func(t *testing.T) {
		out, err := program("serve", "--listen=127.0.0.1:0", "--state-dir="+dir).CombinedOutput()
		if err == nil || !strings.Contains(string(out), dir) {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// The stream to an XMPP server ends with the process. Its client resumes it by
// XEP-0198 through the next, at once.
func TestXMPPStreamsResumeThroughTheNextProcess(t *testing.T) {
	server := xmpptest.StartProsody(t, &xmpptest.Options{Domain: "localhost", Users: []string{"ann", "bob"}})
	args := []string{"--xmpp=localhost=" + server.Addr + "?tls=off", "--state-dir=" + t.TempDir(), "--shutdown-redirect=http://gw2.example"}
	p := start(t, args...)
	ann := dialWebSocket(t, p.url)
	login(ann, "ann")
	ann.say(`<presence xmlns='jabber:client'/>`)
	ann.say(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
	id := cut(ann.until("<enabled"), "id='", "'")
	p.signal(syscall.SIGTERM)
	ann.until(`see-other-uri="ws://gw2.example/xmpp-websocket"`)
	p.wantExit(0)

	p = start(t, args...)
	bob := dialWebSocket(t, p.url)
	login(bob, "bob")
	bob.say(`<message xmlns='jabber:client' to='ann@localhost/r' id='m1' type='chat'><body>meanwhile</body></message>`)
	ann = dialWebSocket(t, p.url)
	ann.open()
	ann.until(">PLAIN<")
	ann.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + plain("ann") + `</auth>`)
	ann.until("<success")
	ann.open()
	ann.until("urn:xmpp:sm:3")
	ann.say(`<resume xmlns='urn:xmpp:sm:3' h='0' previd='` + id + `'/>`)
	ann.until("<resumed", "meanwhile")
}
