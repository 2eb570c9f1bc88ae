package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
)

// A door is a client on one carrier, with a token of its user.
type door interface {
	say(message string)
	until(part string) (came string) // with all that came before and was not returned
}

var doors = map[string]func(t *testing.T, p *process, token string) door{
	"long-poll": func(t *testing.T, p *process, token string) door { return openPush(t, p, token) },
	"SSE": func(t *testing.T, p *process, token string) door {
		return openStream(openPush(t, p, token), 1)
	},
	"WebSocket": openSocket,
	"BOSH":      openBOSH,
}

// One room, and the same for everybody, whichever way they came: what is said there,
// who is there, and what is allowed.
func TestOneRoomManyDoors(t *testing.T) {
	secret := writeFile(t, "secret", tokenSecret)
	p := start(t, "--dev=false", pushOn, "--token-key="+secret, "--token-audience=push", "--topic=room?users=on",
		"--allow=user:reader subscribe on room", "--allow=user:long-poll subscribe publish history presence on room",
		"--allow=user:SSE subscribe publish history presence on room", "--allow=user:WebSocket subscribe publish history presence on room",
		"--allow=user:BOSH subscribe publish history presence on room")
	token := func(user string) string {
		claims := jwt.MapClaims{"sub": user, "aud": "push", "exp": time.Now().Add(time.Hour).Unix()}
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(strings.TrimSpace(tokenSecret)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}

	open := make(map[string]door)
	for name, enter := range doors {
		d := enter(t, p, token(name))
		d.say(fmt.Sprintf(`{"op":"subscribe","topic":"room","presence":%q}`, name))
		d.until(`"subscribed"`)
		open[name] = d
	}
	heard := make(map[string]string)
	for name, d := range open {
		d.say(fmt.Sprintf(`{"op":"publish","topic":"room","data":"from %s"}`, name))
		heard[name] = d.until(`"published"`)
	}
	open["BOSH"].say(`{"op":"publish","topic":"room","data":"the last"}`)
	message := regexp.MustCompile(`"offset":\d+,"user":"[^"]+","data":"[^"]+"`)
	for name, d := range open {
		came := heard[name] + d.until(`"the last"`)
		heard[name] = strings.Join(message.FindAllString(came, -1), "\n")
		d.say(`{"op":"presence","topic":"room"}`)
		there := d.until(`"type":"presence"`)
		for other := range doors {
			if !strings.Contains(there, fmt.Sprintf(`"info":%q`, other)) {
				t.Errorf("%s does not see %s: %s", name, other, there)
			}
		}
	}
	for name, all := range heard {
		if all != heard["BOSH"] || strings.Count(all, "\n") != len(doors) {
			t.Errorf("over %s came\n%s\nand over BOSH\n%s", name, all, heard["BOSH"])
		}
	}

	refusals := make(map[string]string)
	for name, enter := range doors {
		reader := enter(t, p, token("reader"))
		reader.say(`{"op":"publish","topic":"room","data":"not allowed","ref":1}`)
		reader.say(`{"op":"subscribe","topic":"another","ref":2}`)
		came := reader.until(`"ref":2`)
		refusals[name] = strings.Join(regexp.MustCompile(`\{"type":"error"[^}]*\}`).FindAllString(came, -1), "\n")
		reader.say(`{"op":"subscribe","topic":"room"}`)
		reader.until(`"subscribed"`)
	}
	for name, all := range refusals {
		if all != refusals["BOSH"] || strings.Count(all, `"forbidden"`) != 2 {
			t.Errorf("over %s is refused\n%s\nand over BOSH\n%s", name, all, refusals["BOSH"])
		}
	}

	t.Run("a session goes through several, and misses nothing", func(t *testing.T) {
		poll := openPush(t, p, token("long-poll"))
		poll.say(`{"op":"subscribe","topic":"room","history":1}`)
		poll.until(`"the last"`)
		open["SSE"].say(`{"op":"publish","topic":"room","data":"one"}`)
		stream := openStream(poll, 50)
		stream.until(`"one"`)
		stream.say(`{"op":"publish","topic":"room","data":"two"}`)
		stream.until(`"two"`)
		poll.attach = 100
		open["SSE"].say(`{"op":"publish","topic":"room","data":"three"}`)
		came := poll.until(`"three"`)
		if n := strings.Count(came, `"three"`); n != 1 || strings.Contains(came, `"one"`) {
			t.Errorf("came again: %s", came)
		}
	})
}

// ---- push.v1

// A pushDoor is a session by long-poll.
type pushDoor struct {
	pusher
	sent, attach, ack int
	came              string
}

func openPush(t *testing.T, p *process, token string) *pushDoor {
	t.Helper()
	d := &pushDoor{pusher: pusher{t: t, url: p.url}}
	a := call(t, "POST", p.url+"/push", fmt.Sprintf(`{"token":%q}`, token)).wantStatus(t, 201)
	if err := json.Unmarshal([]byte(a.body), &struct{ Session, Key *string }{&d.session, &d.key}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *pushDoor) say(message string) {
	d.t.Helper()
	d.sent++
	d.post(fmt.Sprintf(`"first":%d,"messages":[%s]`, d.sent, message)).wantStatus(d.t, 200)
}

// take takes an object of the server.
func (d *pushDoor) take(text string) {
	var o struct {
		First    int
		Messages []json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		d.t.Fatalf("%v: %s", err, text)
	}
	if o.First != 0 { // in a stream it is there at the beginning only
		d.ack = max(d.ack, o.First-1)
	}
	d.ack += len(o.Messages)
	d.came += text
}

func (d *pushDoor) until(part string) string {
	d.t.Helper()
	for !strings.Contains(d.came, part) {
		d.attach++
		a := d.post(fmt.Sprintf(`"attach":%d,"ack":%d`, d.attach, d.ack))
		if a.StatusCode != http.StatusOK {
			d.t.Fatal(a.StatusCode, a.body)
		}
		d.take(a.body)
	}
	came := d.came
	d.came = ""
	return came
}

// A streamDoor is the same session, read by an event stream.
type streamDoor struct {
	*pushDoor
	lines *bufio.Scanner
}

func openStream(d *pushDoor, attach int) door {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "GET", fmt.Sprintf("%s/push/sse?session=%s&attach=%d", d.url, d.session, attach), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.Header.Set("Last-Event-ID", fmt.Sprint(d.ack))
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatal(resp, err)
	}
	d.t.Cleanup(func() { resp.Body.Close() })
	return &streamDoor{d, bufio.NewScanner(resp.Body)}
}

func (d *streamDoor) until(part string) string {
	d.t.Helper()
	for !strings.Contains(d.came, part) && d.lines.Scan() {
		if data, ok := strings.CutPrefix(d.lines.Text(), "data: "); ok {
			d.take(data)
		}
	}
	came := d.came
	d.came = ""
	return came
}

// A socketDoor is a WebSocket.
type socketDoor struct {
	t    *testing.T
	conn *websocket.Conn
	came string
}

func openSocket(t *testing.T, p *process, token string) door {
	t.Helper()
	conn, _, err := (&websocket.Dialer{Subprotocols: []string{"push.v1"}}).Dial("ws"+strings.TrimPrefix(p.url, "http")+"/push/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d := &socketDoor{t: t, conn: conn}
	d.write(fmt.Sprintf(`{"token":%q}`, token))
	d.until(`"session"`)
	return d
}

func (d *socketDoor) write(text string) {
	if err := d.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *socketDoor) say(message string) { d.write(`{"messages":[` + message + `]}`) }

func (d *socketDoor) until(part string) string {
	d.t.Helper()
	for !strings.Contains(d.came, part) {
		_, text, err := d.conn.ReadMessage()
		if err != nil {
			d.t.Fatal(err)
		}
		d.came += string(text)
	}
	came := d.came
	d.came = ""
	return came
}

// ---- BOSH

// A boshDoor is a session of BOSH.
type boshDoor struct {
	t    *testing.T
	url  string
	sid  string
	rid  int
	came string
}

func openBOSH(t *testing.T, p *process, token string) door {
	t.Helper()
	d := &boshDoor{t: t, url: p.url}
	d.post("to='bus' ver='1.6' wait='1' hold='1'", "", "Authorization: Bearer "+token)
	d.sid = cut(d.came, "sid='", "'")
	return d
}

func (d *boshDoor) post(attrs, payload string, header ...string) {
	d.t.Helper()
	d.rid++
	body := fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='%d' %s>%s</body>", d.rid, attrs, payload)
	a := call(d.t, "POST", d.url+"/http-bind", body, header...).wantStatus(d.t, 200)
	if strings.Contains(a.body, "type='terminate'") {
		d.t.Fatal(a.body)
	}
	d.came += html.UnescapeString(a.body)
}

func (d *boshDoor) say(message string) {
	d.t.Helper()
	d.post("sid='"+d.sid+"'", "<json xmlns='urn:xmpp:json:0'>"+html.EscapeString(message)+"</json>")
}

func (d *boshDoor) until(part string) string {
	d.t.Helper()
	for !strings.Contains(d.came, part) {
		d.post("sid='"+d.sid+"'", "")
	}
	came := d.came
	d.came = ""
	return came
}
