package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/memnet"
	"github.com/mochibosh/mochibosh/internal/parktest"
	"github.com/mochibosh/mochibosh/transport/push"
)

// This file has how the endpoints are asked.

// A conn is a connection that asks for messages.
type conn struct {
	link
	name   string
	flight *parktest.Flight
	socket *gorilla.Conn
	mu     sync.Mutex
	got    []string // over the socket
}

func (e *endpoint) json(o object) string {
	s := fmt.Sprintf(`{"session":%q,"key":%q,"ack":%d`, e.session, e.key, o.ack)
	if o.first > 0 {
		s += fmt.Sprintf(`,"first":%d`, o.first)
	}
	if o.messages != nil {
		s += `,"messages":[` + strings.Join(o.messages, ",") + `]`
	}
	if o.attach > 0 {
		s += fmt.Sprintf(`,"attach":%d`, o.attach)
	}
	if o.wait != nil {
		s += fmt.Sprintf(`,"wait":%d`, *o.wait/time.Second)
	}
	if o.end {
		s += `,"end":true`
	}
	return s + `}`
}

func (e *endpoint) fly(h http.Handler, method, path, body string) *parktest.Flight {
	r := httptest.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	return parktest.Fly(h, r, e.parks)
}

// expect wants an answer at once.
func (e *endpoint) expect(f *parktest.Flight, want string) {
	synctest.Wait()
	if got := answered(f); got != want {
		e.fail("got %s\nwant %s", got, want)
	}
}

func answered(f *parktest.Flight) string {
	if !f.Over() {
		return ""
	}
	return answer(f.Status(), plain(f.Body()))
}

var words = regexp.MustCompile(`,"message":"(\\.|[^"\\])*"`)

// plain leaves out the words for people.
func plain(object string) string { return words.ReplaceAllString(object, "") }

func (e *endpoint) post(o object) {
	e.logf("post %s", e.json(o))
	want := refusal("gone")
	f := e.fly(e.polls, "POST", "/push", e.json(o))
	if !e.model.forgotten() {
		want = e.model.post(o)
	}
	e.expect(f, want)
}

func (e *endpoint) connect(kind string, o object) *conn {
	c := &conn{link: link{kind: kind, attach: o.attach}, name: fmt.Sprint(kind, " ", o.attach)}
	e.conns = append(e.conns, c)
	e.logf("%s %s", kind, e.json(o))
	return c
}

func (e *endpoint) poll(o object) {
	c := e.connect("poll", o)
	c.flight = e.fly(e.polls, "POST", "/push", e.json(o))
	synctest.Wait()
	e.refuse(c, func() string { return e.model.poll(&c.link, o) })
}

// refuse has a connection refused, if the model says so.
func (e *endpoint) refuse(c *conn, ask func() string) {
	refused := refusal("gone")
	if !e.model.forgotten() {
		refused = ask()
	}
	if refused == "" {
		return
	}
	if c.kind == "socket" {
		status, object, _ := strings.Cut(refused, " ")
		code, _ := strconv.Atoi(status)
		if strings.Contains(object, "replaced") {
			code = 0
		}
		c.want = append(c.want, object, fmt.Sprint("close ", 4000+code))
	} else {
		c.want = append(c.want, refused)
	}
	e.model.gone(&c.link)
}

func (e *endpoint) stream(o object, byTicket bool) {
	c := e.connect("stream", o)
	r := httptest.NewRequestWithContext(e.t.Context(), "GET", fmt.Sprintf("/push/sse?session=%s&attach=%d", e.session, o.attach), nil)
	r.Header.Set("Authorization", "Bearer "+e.key)
	r.Header.Set("Last-Event-ID", fmt.Sprint(o.ack))
	if byTicket && o.attach > 0 && !e.model.forgotten() {
		sold := e.fly(e.streams, "POST", "/push/sse", e.json(o))
		synctest.Wait()
		var t struct{ Ticket string }
		if err := json.Unmarshal([]byte(sold.Body()), &t); err != nil || t.Ticket == "" {
			e.fail("no ticket: %v in %s", err, sold.Body())
		}
		r = httptest.NewRequestWithContext(e.t.Context(), "GET", "/push/sse?ticket="+t.Ticket, nil)
	}
	c.flight = parktest.Fly(e.streams, r, e.parks)
	synctest.Wait()
	e.refuse(c, func() string { return e.model.open(&c.link, o) })
}

// dial opens a socket; its first object goes with it.
func (e *endpoint) dial(o object) {
	if e.server == nil {
		e.network, e.server = memnet.Listen(), &http.Server{Handler: e.sockets}
		go e.server.Serve(e.network)
	}
	c := e.connect("socket", o)
	d := gorilla.Dialer{
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return e.network.Dial(ctx) },
		Subprotocols:   []string{push.Protocol},
	}
	ws, _, err := d.Dial("ws://push.test/push/ws", nil)
	if err != nil {
		e.fail("no socket: %v", err)
	}
	c.socket = ws
	go c.read()
	c.write(e.json(o))
	e.refuse(c, func() string { return e.model.open(&c.link, o) })
}

func (c *conn) write(object string) {
	_ = c.socket.WriteMessage(gorilla.TextMessage, []byte(object)) // it may be closed
	synctest.Wait()
}

func (c *conn) read() {
	defer c.socket.Close()
	for {
		_, data, err := c.socket.ReadMessage()
		text := plain(string(data))
		closed, byServer := err.(*gorilla.CloseError)
		if byServer {
			text = fmt.Sprint("close ", closed.Code)
		}
		if err == nil || byServer {
			c.mu.Lock()
			c.got = append(c.got, text)
			c.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// tell says something on a socket that is open.
func (e *endpoint) tell(c *conn, arg uint64) {
	o := object{ack: e.model.base}
	switch arg % 4 {
	case 0:
		o.ack = e.cursor(arg / 4)
	case 1:
		o.first = e.model.next + arg/4%6
		o.messages = messages(o.first, 1)
	case 2, 3:
		o.messages = messages(e.model.next, arg/4%3)
		o.end = o.messages == nil && arg >= 224
	}
	e.logf("on %s: %s", c.name, e.json(o))
	c.write(e.json(o))
	e.refuse(c, func() string { return e.model.tell(&c.link, o) })
}

func (e *endpoint) cut(c *conn) {
	e.logf("cut %s", c.name)
	e.breakOff(c)
	e.conns = slices.DeleteFunc(e.conns, func(other *conn) bool { return other == c })
	e.model.gone(&c.link)
}

func (e *endpoint) breakOff(c *conn) {
	if c.socket != nil {
		c.socket.Close()
	} else {
		c.flight.Cut()
	}
	synctest.Wait()
}

// said returns what was said on a connection, and whether that is all.
func (c *conn) said() (said []string, over bool) {
	if c.socket != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.got, len(c.got) > 0 && strings.HasPrefix(c.got[len(c.got)-1], "close")
	}
	f := c.flight
	if f.Header().Get("Content-Type") != "text/event-stream" {
		if a := answered(f); a != "" {
			said = append(said, a)
		}
		return said, f.Over()
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(f.Body(), "\n\n"), "\n\n") {
		said = append(said, plain(event))
	}
	return said, f.Over()
}
