package nodes_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/transport/push"
)

// This file has clients of push.v1 and BOSH, by hand.

type object struct {
	Session  string            `json:"session,omitempty"`
	Key      string            `json:"key,omitempty"`
	To       string            `json:"to,omitempty"`
	First    uint64            `json:"first,omitempty"`
	Messages []json.RawMessage `json:"messages,omitempty"`
	Ack      uint64            `json:"ack,omitempty"`
	Attach   uint64            `json:"attach,omitempty"`
	Wait     *int              `json:"wait,omitempty"`
	Ticket   string            `json:"ticket,omitempty"`
	Replaced bool              `json:"replaced,omitempty"`
	End      *struct {
		Code string `json:"code"`
	} `json:"end,omitempty"`
	Error *struct {
		Code string `json:"code"`
	} `json:"error,omitempty"`
}

// A client has one session.
type client struct {
	t            testing.TB
	session, key string
	sent, attach uint64
	ack          uint64
}

// create makes a session at a node, on the bus, or with the backend of that name.
func create(t testing.TB, n *node, to string) *client {
	t.Helper()
	c := &client{t: t}
	o := c.post(n, object{To: to})
	c.session, c.key = o.Session, o.Key
	if c.session == "" || !strings.HasSuffix(c.session, "."+n.Name()) {
		t.Fatalf("no session of %s: %+v", n.Name(), o)
	}
	return c
}

// try posts an object of the session.
func (c *client) try(n *node, o object) (status int, answer object, err error) {
	o.Session, o.Key = c.session, c.key
	body, err := json.Marshal(o)
	if err != nil {
		return 0, answer, err
	}
	resp, err := http.Post(n.url+"/push", "text/plain", bytes.NewReader(body))
	if err != nil {
		return 0, answer, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < 300 {
		err = json.Unmarshal(data, &answer)
	} else if err == nil {
		json.Unmarshal(data, &answer) // an error may be no JSON
	}
	return resp.StatusCode, answer, err
}

func (c *client) post(n *node, o object) object {
	c.t.Helper()
	status, answer, err := c.try(n, o)
	if err != nil || status >= 300 {
		c.t.Fatalf("status %d, %+v, %v", status, answer, err)
	}
	return answer
}

// send sends messages, by one node.
func (c *client) send(n *node, messages ...string) {
	c.t.Helper()
	o := object{First: c.sent + 1}
	for _, m := range messages {
		o.Messages = append(o.Messages, json.RawMessage(m))
	}
	c.sent += uint64(len(messages))
	if a := c.post(n, o); a.Ack < c.sent {
		c.t.Fatalf("accepted %d of %d", a.Ack, c.sent)
	}
}

// poll asks for messages, once.
func (c *client) poll(n *node) object {
	c.t.Helper()
	c.attach++
	o := c.post(n, object{Attach: c.attach, Ack: c.ack})
	c.took(o)
	return o
}

func (c *client) took(o object) {
	if len(o.Messages) > 0 {
		c.ack = o.First - 1 + uint64(len(o.Messages))
	}
}

// until polls until a message has that in it.
func (c *client) until(n *node, want string) {
	c.t.Helper()
	for range 20 {
		for _, m := range c.poll(n).Messages {
			if strings.Contains(string(m), want) {
				return
			}
		}
	}
	c.t.Fatalf("%q does not come", want)
}

// subscribe subscribes to a topic.
func (c *client) subscribe(n *node, topic string) {
	c.t.Helper()
	c.send(n, fmt.Sprintf(`{"op":"subscribe","topic":%q}`, topic))
	c.until(n, `"subscribed"`)
}

// publish publishes a text.
func (c *client) publish(n *node, topic, text string) {
	c.t.Helper()
	c.send(n, fmt.Sprintf(`{"op":"publish","topic":%q,"data":%q}`, topic, text))
}

// comesTo has the client ask a node until that has taken its session over, and has
// something for it.
func (c *client) comesTo(n *node) {
	c.t.Helper()
	eventually(c.t, "the other one takes over", func() bool {
		c.attach++
		status, o, _ := c.try(n, object{Attach: c.attach, Ack: c.ack})
		c.took(o)
		return status == http.StatusOK && len(o.Messages) > 0
	})
}

// insists has the client publish by way of a node that may not be ready yet.
func (c *client) insists(n *node, topic, text string) {
	c.t.Helper()
	message := object{First: c.sent + 1, Messages: raw(fmt.Sprintf(`{"op":"publish","topic":%q,"data":%q}`, topic, text))}
	eventually(c.t, "it forwards", func() bool {
		status, _, _ := c.try(n, message)
		return status == http.StatusOK
	})
	c.sent++
}

// An events has an event stream.
type events struct {
	t    testing.TB
	body io.ReadCloser
	in   *bufio.Reader
}

// stream opens an event stream, with a ticket of one node, at another.
func (c *client) stream(seller, n *node) *events {
	c.t.Helper()
	c.attach++
	body, err := json.Marshal(object{Session: c.session, Key: c.key, Attach: c.attach, Ack: c.ack})
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.Post(seller.url+"/push/sse", "text/plain", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	var o object
	err = json.NewDecoder(resp.Body).Decode(&o)
	resp.Body.Close()
	if err != nil || o.Ticket == "" {
		c.t.Fatalf("no ticket: %+v, %v", o, err)
	}
	if resp, err = http.Get(n.url + "/push/sse?ticket=" + o.Ticket); err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatal(resp.Status)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	return &events{c.t, resp.Body, bufio.NewReader(resp.Body)}
}

// next returns the next object; false at the end of the stream.
func (e *events) next() (o object, ok bool) {
	e.t.Helper()
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return o, false
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &o); err != nil {
				e.t.Fatal(err)
			}
			return o, true
		}
	}
}

// socket opens a WebSocket for the session, and returns the first object.
func (c *client) socket(n *node) (*websocket.Conn, object) {
	c.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{push.Protocol}}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(n.url, "http")+"/push/ws", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	c.attach++
	if err := conn.WriteJSON(object{Session: c.session, Key: c.key, Attach: c.attach, Ack: c.ack}); err != nil {
		c.t.Fatal(err)
	}
	var o object
	if err := conn.ReadJSON(&o); err != nil {
		c.t.Fatal(err)
	}
	return conn, o
}

func raw(messages ...string) []json.RawMessage {
	var all []json.RawMessage
	for _, m := range messages {
		all = append(all, json.RawMessage(m))
	}
	return all
}

func dial(t testing.TB, n *node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A boshClient has a session of BOSH.
type boshClient struct {
	t   testing.TB
	rid int
	sid string
}

func (b *boshClient) create(n *node) {
	b.t.Helper()
	answer := b.post(n, `xmlns:xmpp='urn:xmpp:xbosh' to='bus' wait='10' hold='1' ver='1.6' content='text/xml; charset=utf-8'`, "")
	_, after, _ := strings.Cut(answer, "sid='")
	if b.sid, _, _ = strings.Cut(after, "'"); b.sid == "" {
		b.t.Fatal(answer)
	}
}

// say sends a payload, and returns what the session says to that.
func (b *boshClient) say(n *node, payload string) string {
	b.t.Helper()
	return b.post(n, "sid='"+b.sid+"'", payload)
}

func (b *boshClient) post(n *node, attrs, payload string) string {
	b.t.Helper()
	b.rid++
	body := fmt.Sprintf("<body rid='%d' xmlns='http://jabber.org/protocol/httpbind' %s>%s</body>", b.rid, attrs, payload)
	resp, err := http.Post(n.url+"/bosh", "text/xml", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatal(resp.Status, err)
	}
	return string(data)
}

// eventually waits until something is so, which nothing tells of.
