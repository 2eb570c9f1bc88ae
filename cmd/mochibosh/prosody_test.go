package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// A speaker is a client that logs in as all do.
type speaker interface {
	open()                        // a stream, anew after the login
	say(xml string)               // one element
	until(parts ...string) string // reads until all parts were in what came
}

func plain(user string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + xmpptest.Password))
}

func login(s speaker, user string) {
	s.open()
	s.until(">PLAIN<")
	s.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + plain(user) + `</auth>`)
	s.until("<success")
	s.open()
	s.until("urn:ietf:params:xml:ns:xmpp-bind")
	s.say(`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`)
	s.until("<jid>" + user + "@localhost/r</jid>")
}

// boshSpeaker does with HTTP what curl could.
type boshSpeaker struct {
	t    *testing.T
	url  string
	sid  string
	rid  int
	came string
}

func (b *boshSpeaker) post(attrs, payload string) {
	b.t.Helper()
	b.rid++
	body := fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' rid='%d' %s>%s</body>", b.rid, attrs, payload)
	a := call(b.t, "POST", b.url+"/http-bind", body, "Content-Type: text/xml; charset=utf-8")
	if got := a.Header.Get("Content-Type"); a.StatusCode != 200 || got != "text/xml; charset=utf-8" {
		b.t.Fatalf("%s %s %s", a.Status, got, a.body)
	}
	b.came += a.body
}

func (b *boshSpeaker) open() {
	if b.sid != "" {
		b.post("sid='"+b.sid+"' to='localhost' xmpp:restart='true'", "")
		return
	}
	b.post("to='localhost' ver='1.6' wait='1' hold='1' xmpp:version='1.0'", "")
	b.sid = cut(b.came, "sid='", "'")
}

func (b *boshSpeaker) say(xml string) { b.post("sid='"+b.sid+"'", xml) }

func (b *boshSpeaker) until(parts ...string) string {
	b.t.Helper()
	for !hasAll(b.came, parts) {
		if strings.Contains(b.came, "type='terminate'") {
			b.t.Fatalf("ended before %q: %s", parts, b.came)
		}
		b.post("sid='"+b.sid+"'", "")
	}
	came := b.came
	b.came = ""
	return came
}

func hasAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

type webSocketSpeaker struct {
	t *testing.T
	c *websocket.Conn
}

func dialWebSocket(t *testing.T, url string) *webSocketSpeaker {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"xmpp"}, HandshakeTimeout: 20 * time.Second}
	c, _, err := d.Dial("ws"+strings.TrimPrefix(url, "http")+"/xmpp-websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return &webSocketSpeaker{t, c}
}

func (w *webSocketSpeaker) open() {
	w.say("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>")
}

func (w *webSocketSpeaker) say(xml string) {
	w.t.Helper()
	if err := w.c.WriteMessage(websocket.TextMessage, []byte(xml)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *webSocketSpeaker) until(parts ...string) string {
	w.t.Helper()
	for came := ""; ; {
		_, data, err := w.c.ReadMessage()
		if err != nil {
			w.t.Fatalf("before %q: %v", parts, err)
		}
		if came += string(data); hasAll(came, parts) {
			return came
		}
	}
}

func TestProsody(t *testing.T) {
	server := xmpptest.StartProsody(t, &xmpptest.Options{Domain: "localhost", Users: []string{"ann", "bob", "carol"}})
	p := start(t, "--xmpp=localhost="+server.Addr+"?tls=off", "--log-level=debug")
	ann := &boshSpeaker{t: t, url: p.url, rid: 1000}
	bob := dialWebSocket(t, p.url)
	login(ann, "ann")
	login(bob, "bob")
	for n := range 2 {
		ann.say(fmt.Sprintf("<message xmlns='jabber:client' to='bob@localhost/r'><body>to bob %d ü</body></message>", n))
		bob.until("from='ann@localhost/r'", fmt.Sprintf("to bob %d ü", n))
		bob.say(fmt.Sprintf("<message xmlns='jabber:client' to='ann@localhost/r'><body>to ann %d</body></message>", n))
		ann.until("from='bob@localhost/r'", fmt.Sprintf("to ann %d", n))
	}
	call(t, "GET", p.url+"/metrics", "").wantBody(t,
		`mochibosh_sessions{protocol="bosh"} 1`, `mochibosh_sessions{protocol="xmpp"} 1`,
		`mochibosh_frames_total{direction="in",protocol="bosh"}`, `mochibosh_frame_bytes_total{direction="out",protocol="xmpp"}`,
		`mochibosh_server_open_seconds_count{domain="localhost"} 2`)

	for way, route := range map[string]string{
		"STARTTLS":   server.Addr + "?tls=starttls&ca=" + server.CAFile,
		"direct TLS": server.DirectTLS + "?tls=direct&ca=" + server.CAFile,
	} {
		t.Run("with "+way, func(t *testing.T) {
			p := start(t, "--xmpp=localhost="+route)
			login(dialWebSocket(t, p.url), "carol")
		})
	}
	t.Run("one session, the server and the bus", func(t *testing.T) {
		ann := &boshSpeaker{t: t, url: p.url, sid: ann.sid, rid: ann.rid}
		ann.post("sid='"+ann.sid+"' to='bus'", "")
		stream := cut(ann.came, " stream='", "'")
		if stream == "" {
			t.Fatalf("no stream: %s", ann.came)
		}
		ann.post("sid='"+ann.sid+"' stream='"+stream+"'", `<json xmlns='urn:xmpp:json:0'>{"op":"publish","topic":"t","data":1,"ref":7}</json>`)
		ann.until(`"published"`, `"ref":7`)
	})
	t.Run("at the end everybody is told", func(t *testing.T) {
		p.signal(15)
		bob.until("system-shutdown", "urn:ietf:params:xml:ns:xmpp-framing")
		p.wantExit(0)
	})
	t.Run("logs have no sid and no stanza", func(t *testing.T) {
		for _, secret := range []string{ann.sid, "to bob", "to ann", plain("ann")} {
			if strings.Contains(p.said(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
}

// What is wrong with the way to a server is told apart, to the operator too.
func TestBackendFaults(t *testing.T) {
	nobody := deadAddress(t)
	p := start(t, "--xmpp=a.example="+nobody+"?tls=off", "--xmpp=b.example=nowhere.invalid:5222", "--push=off", "--connect-retry=-1s")
	create := func(domain string) {
		call(t, "POST", p.url+"/http-bind", "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' rid='1' to='"+domain+"' ver='1.6' xmpp:version='1.0'/>").
			wantBody(t, "terminate")
	}
	create("a.example")
	create("c.example")
	call(t, "GET", p.url+"/metrics", "").wantBody(t,
		`mochibosh_server_faults_total{domain="a.example",stage="connect"} 1`,
		`mochibosh_sessions_ended_total{condition="host-unknown",protocol="bosh"} 1`)
	call(t, "POST", p.url+"/push", "{}").wantStatus(t, 404)
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
