//go:build linux

package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// All carriers of the project, on httpd and on net/http: the same tests.

// A house has all carriers, and a topic that reaches all their clients.
type house struct {
	http.Handler
	manager *transport.Manager
	bus     *bus.Bus
	elders  streams // BOSH: the bus speaks JSON
}

func newHouse(o *push.Options) *house {
	h := &house{bus: bus.New(nil)}
	h.manager = transport.NewManager(&transport.Options{Backend: transport.Mux{"": h.bus, "bus": h.bus, "elders": &h.elders}})
	mux := http.NewServeMux()
	mux.Handle("/push", longpoll.NewHandler(h.manager, o))
	mux.Handle("/push/sse", sse.NewHandler(h.manager, o))
	mux.Handle("/push/ws", websocket.NewHandler(h.manager, &websocket.Options{Push: o}))
	mux.Handle(api.Path, api.NewHandler(h.bus, &api.Options{Open: true}))
	mux.Handle("/bosh", bosh.NewHandler(h.manager, &bosh.Options{NoStreams: true, Polling: -1}))
	h.Handler = mux
	return h
}

// publish sends a message with a number and some more to all.
func (h *house) publish(n int, more string) {
	if _, err := h.bus.Publish(context.Background(), "t", json.RawMessage(fmt.Sprintf(`"msg-%d-%s"`, n, more)), nil); err != nil {
		panic(err)
	}
	h.elders.send([]byte(fmt.Sprintf("<m xmlns='urn:t'>msg-%d-%s</m>", n, more)))
}

// streams is a backend that sends everything to everybody.
type streams struct {
	mu  sync.Mutex
	all map[*transport.Stream]bool
}

func (s *streams) Open(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*transport.Stream]bool)
	}
	s.all[st] = true
	return member{s, st}, nil
}

func (s *streams) send(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.all {
		st.TrySend(p)
	}
}

type member struct {
	*streams
	st *transport.Stream
}

func (m member) Receive([]byte) error { return nil }
func (m member) Close(error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, m.st)
}

// A client has a session, subscribed to the topic.
type client interface {
	// hold asks for messages, on a new connection if need be.
	hold()
	// next returns the texts of what comes next.
	next() []byte
	// leave closes the connection; hold opens another.
	leave()
}

type carrier struct {
	name string
	join func(t testing.TB, addr, topic string) client
}

// greets reports whether the first answer comes at once.
func (c carrier) greets() bool {
	return strings.HasPrefix(c.name, "sse") || strings.HasPrefix(c.name, "websocket")
}

var carriers = []carrier{
	{"longpoll", func(t testing.TB, addr, topic string) client { return &poller{joinPush(t, addr, topic)} }},
	{"bosh", joinBOSH},
	{"sse", joinEvents},
	{"websocket", func(t testing.TB, addr, topic string) client { return &socket{pusher: joinPush(t, addr, topic)} }},
}

func joinEvents(t testing.TB, addr, topic string) client {
	p := joinPush(t, addr, topic)
	return &listener{pusher: p, posts: wire{t: t, addr: addr}}
}

// A wire is a connection that is opened when it is needed.
type wire struct {
	t    testing.TB
	addr string
	net.Conn
	in *bufio.Reader
}

func (w *wire) open() {
	if w.Conn != nil {
		return
	}
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	w.Conn, w.in = c, bufio.NewReaderSize(c, 1024)
}

func (w *wire) leave() {
	if w.Conn != nil {
		w.Close()
		w.Conn = nil
	}
}

func (w *wire) post(path, body string) {
	w.open()
	if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body); err != nil {
		w.t.Error(err)
	}
}

func (w *wire) answer() []byte {
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		w.t.Fatal(resp.Status, string(body), err)
	}
	return body
}

// A pusher speaks push.v1.
type pusher struct {
	wire
	session, key string
	attach, ack  int
}

func joinPush(t testing.TB, addr, topic string) pusher {
	p := pusher{wire: wire{t: t, addr: addr}}
	p.post("/push", "{}")
	var created struct{ Session, Key string }
	if err := json.Unmarshal(p.answer(), &created); err != nil {
		t.Fatal(err)
	}
	p.session, p.key = created.Session, created.Key
	p.post("/push", p.object(fmt.Sprintf(`"first":1,"messages":[{"op":"subscribe","topic":%q}]`, topic)))
	p.answer()
	p.post("/push", p.claim()) // the bus says that it has done so
	p.take(p.answer())
	return p
}

func (p *pusher) object(members string) string {
	return fmt.Sprintf(`{"session":%q,"key":%q,%s}`, p.session, p.key, members)
}

func (p *pusher) claim() string {
	p.attach++
	return p.object(fmt.Sprintf(`"attach":%d,"ack":%d`, p.attach, p.ack))
}

// take counts the messages of an answer.
func (p *pusher) take(answer []byte) []byte {
	var a struct {
		First    int
		Messages []json.RawMessage
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		p.t.Fatalf("%v in %q", err, answer)
	}
	if a.First > 0 {
		p.ack = a.First - 1
	}
	p.ack += len(a.Messages)
	return answer
}

type poller struct{ pusher }

func (p *poller) hold()        { p.post("/push", p.claim()) }
func (p *poller) next() []byte { return p.take(p.answer()) }

// An acknowledger knows when an acknowledgement that rides on nothing goes
// alone, as our client in JavaScript has it (web/client/uplink.js).
type acknowledger struct {
	eager bool // after each answer
	acked int
	since time.Time // when there was first something to acknowledge
}

const (
	ackDelay = time.Second
	ackCount = 32
)

// due reports whether to acknowledge now.
func (a *acknowledger) due(ack int) bool {
	switch {
	case ack == a.acked:
		return false
	case a.since.IsZero():
		a.since = time.Now()
	}
	if !a.eager && ack-a.acked < ackCount && time.Since(a.since) < ackDelay {
		return false
	}
	a.acked, a.since = ack, time.Time{}
	return true
}

type listener struct {
	pusher
	acknowledger
	events *bufio.Reader
	posts  wire
}

func (l *listener) hold() {
	if l.events != nil {
		return
	}
	l.posts.post("/push/sse", l.claim())
	l.acked = l.ack
	var sold struct{ Ticket string }
	if err := json.Unmarshal(l.posts.answer(), &sold); err != nil {
		l.t.Fatal(err)
	}
	l.open()
	fmt.Fprintf(l, "GET /push/sse?ticket=%s HTTP/1.1\r\nHost: a\r\n\r\n", sold.Ticket)
	resp, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.events = bufio.NewReaderSize(resp.Body, 1024)
}

func (l *listener) next() []byte {
	for {
		line, err := l.events.ReadBytes('\n')
		if err != nil {
			l.t.Fatal(err)
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			data = l.take(data)
			if l.due(l.ack) {
				l.posts.post("/push", l.object(fmt.Sprintf(`"ack":%d`, l.ack)))
				l.posts.answer()
			}
			return data
		}
	}
}

func (l *listener) leave() {
	l.wire.leave()
	l.posts.leave()
	l.events = nil
}

type socket struct {
	pusher
	acknowledger
	ws *gorilla.Conn
}

func (s *socket) hold() {
	if s.ws != nil {
		return
	}
	s.wire.leave()
	d := gorilla.Dialer{Subprotocols: []string{push.Protocol}, ReadBufferSize: 1024, WriteBufferSize: 512}
	ws, _, err := d.Dial("ws://"+s.addr+"/push/ws", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	s.ws = ws
	ws.WriteMessage(gorilla.TextMessage, []byte(s.claim()))
	s.acked = s.ack
}

func (s *socket) next() []byte {
	_, data, err := s.ws.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	data = s.take(data)
	if s.due(s.ack) {
		s.ws.WriteMessage(gorilla.TextMessage, fmt.Appendf(nil, `{"ack":%d}`, s.ack))
	}
	return data
}

func (s *socket) leave() {
	if s.ws != nil {
		s.ws.Close()
		s.ws = nil
	}
}

// An elder speaks BOSH.
type elder struct {
	wire
	sid string
	rid int
}

var sidOf = regexp.MustCompile(` sid='([^']+)'`)

func joinBOSH(t testing.TB, addr, _ string) client {
	e := &elder{wire: wire{t: t, addr: addr}, rid: 1}
	e.post("/bosh", "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='elders' ver='1.6' wait='60' hold='1'/>")
	sid := sidOf.FindSubmatch(e.answer())
	if sid == nil {
		t.Fatal("no session")
	}
	e.sid = string(sid[1])
	return e
}

func (e *elder) hold() {
	e.rid++
	e.post("/bosh", fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='%d' sid='%s'/>", e.rid, e.sid))
}

func (e *elder) next() []byte { return e.answer() }

var numberOf = regexp.MustCompile(`msg-(\d+)-`)

// A server of either kind, for carriers.
func serveHouse(t testing.TB, kind string, h http.Handler) (addr string) {
	var s interface {
		Serve(net.Listener) error
		Close() error
	} = &httpd.Server{Options: httpd.Options{Handler: h}}
	if kind == "net/http" {
		s = &http.Server{Handler: h}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return ln.Addr().String()
}

var kinds = []string{"httpd", "net/http"}

// Messages are published all the time, in bursts that the clients' reading may
// or may not keep up with; some clients leave and come back. Each gets all
// messages, once and in order.
func TestCarriersInOrder(t *testing.T) {
	const messages, clients = 150, 8
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(nil)
			addr := serveHouse(t, kind, h)
			defer h.manager.Shutdown(context.Background())
			var all sync.WaitGroup
			var joined sync.WaitGroup
			joined.Add(clients * len(carriers))
			for _, carrier := range carriers {
				for i := range clients {
					all.Go(func() {
						dice := rand.New(rand.NewPCG(uint64(i), 7))
						c := carrier.join(t, addr, "t")
						joined.Done()
						defer c.leave()
						for want := 1; want <= messages; {
							c.hold()
							if dice.IntN(8) == 0 {
								time.Sleep(time.Duration(dice.IntN(3)) * time.Millisecond)
							}
							for _, m := range numberOf.FindAllSubmatch(c.next(), -1) {
								if n, _ := strconv.Atoi(string(m[1])); n != want {
									t.Errorf("%s: got %d, want %d", carrier.name, n, want)
									return
								}
								want++
							}
							if carrier.name != "bosh" && i%2 == 0 && dice.IntN(5) == 0 {
								c.leave()
							}
						}
					})
				}
			}
			joined.Wait()
			dice := rand.New(rand.NewPCG(1, 2))
			for n := 1; n <= messages; n++ {
				more := ""
				if dice.IntN(20) == 0 {
					more = strings.Repeat("x", 20_000)
				}
				h.publish(n, more)
				if dice.IntN(3) == 0 {
					time.Sleep(time.Duration(dice.IntN(2000)) * time.Microsecond)
				}
			}
			all.Wait()
		})
	}
}

// A client of BOSH that vanished costs no messages, as long as that is noticed.
func TestVanishedClients(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(nil)
			addr := serveHouse(t, kind, h)
			defer h.manager.Shutdown(context.Background())
			for _, carrier := range carriers {
				t.Run(carrier.name, func(t *testing.T) {
					c := carrier.join(t, addr, "t")
					for n := 1; n <= 3; n++ {
						c.hold()
						if carrier.greets() {
							c.next()
						}
						time.Sleep(20 * time.Millisecond)
						c.leave()
						time.Sleep(20 * time.Millisecond)
						h.publish(n, "")
						c.hold()
						got := string(c.next())
						if carrier.greets() {
							for !strings.Contains(got, "msg") {
								got = string(c.next())
							}
						}
						if !strings.Contains(got, fmt.Sprintf("msg-%d-", n)) {
							t.Errorf("got %s, want message %d", got, n)
						}
						if carrier.greets() {
							c.leave()
						}
					}
				})
			}
		})
	}
}

// A WebSocket answers pings and closes as it should, whether a goroutine waits
// for them or not.
func TestWebSocketControls(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := newHouse(&push.Options{Ping: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond})
			addr := serveHouse(t, kind, h)
			defer h.manager.Shutdown(context.Background())
			s := &socket{pusher: joinPush(t, addr, "t")}
			s.hold()
			s.next()
			pongs, pings := 0, 0
			s.ws.SetPongHandler(func(p string) error {
				if p != fmt.Sprint("payload ", pongs) {
					t.Errorf("pong %q", p)
				}
				pongs++
				return nil
			})
			quiet := false
			answer := s.ws.PingHandler()
			s.ws.SetPingHandler(func(p string) error {
				if pings++; quiet {
					return nil
				}
				return answer(p)
			})
			for i := range 3 {
				s.ws.WriteControl(gorilla.PingMessage, fmt.Append(nil, "payload ", i), time.Now().Add(time.Second))
				if i == 1 { // with a message behind it
					s.ws.WriteMessage(gorilla.TextMessage, []byte(`{"ack":0}`))
				}
				h.publish(i, "")
				for !strings.Contains(string(s.next()), fmt.Sprintf("msg-%d-", i)) {
				}
			}
			for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); {
				s.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
				s.next() // stays, for its pongs
			}
			if pongs != 3 || pings < 3 {
				t.Errorf("%d pongs, %d pings", pongs, pings)
			}
			quiet = true
			var err error
			for err == nil {
				_, _, err = s.ws.ReadMessage()
			}
			if !gorilla.IsCloseError(err, gorilla.CloseGoingAway) {
				t.Errorf("a silent client: %v", err)
			}
		})
	}
}
