package proxies

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A stream is a session on one carrier, subscribed to a topic. It goes on when
// its connection is cut, as any client does: that is the protocol's, not luck.
type stream struct {
	c        *client
	session  string
	key      string
	attach   int
	received int // numbers of the server
	sent     int
	data     chan string   // of the messages, in the order in which they come
	ready    chan struct{} // closed once it is subscribed
	cuts     int           // connections that ended; to be read once the stream has
	publish  func(topic, data string) error
	cancel   context.CancelFunc
}

// A carrier opens streams, which end with the context. The error is why it
// ended before.
type carrier struct {
	name string
	open func(ctx context.Context, c *client, topic string) (*stream, error)
}

var carriers = []carrier{
	{"longpoll", overPush((*stream).poll)},
	{"sse", overPush((*stream).events)},
	{"websocket", overPush((*stream).socket)},
	{"bosh", overBOSH},
}

// An object is what the server says.
type object struct {
	Session, Key string
	First        int
	Messages     []json.RawMessage
	End          json.RawMessage
	Error        json.RawMessage
}

// overPush makes a session by a post, and receives by exchanges of a kind, each
// as long as a connection holds.
func overPush(exchange func(*stream, context.Context) error) func(context.Context, *client, string) (*stream, error) {
	return func(ctx context.Context, c *client, topic string) (*stream, error) {
		_, body, err := c.try(ctx, "POST", "/push", fmt.Sprintf(`{"messages":[{"op":"subscribe","topic":%q}]}`, topic))
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal([]byte(body), &o); err != nil || o.Session == "" {
			return nil, fmt.Errorf("no session: %s", body)
		}
		s := &stream{c: c, session: o.Session, key: o.Key, sent: 1, data: make(chan string, 1000), ready: make(chan struct{})}
		s.publish = s.post
		go func() {
			defer close(s.data)
			for ctx.Err() == nil {
				s.attach++
				switch err := exchange(s, ctx); {
				case ctx.Err() != nil || err == nil:
				case errors.Is(err, errRefused):
					c.t.Error(err)
					return
				default:
					s.cuts++
					pause(ctx)
				}
			}
		}()
		return s, nil
	}
}

var errRefused = errors.New("refused")

// pause is between two tries, as clients make one.
func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

// take takes what an object brings, once.
func (s *stream) take(text string) error {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("%s is no object", text) // a proxy's page, say
	}
	if o.Error != nil || o.End != nil {
		return fmt.Errorf("%w: %s", errRefused, text)
	}
	if o.First == 0 {
		o.First = s.received + 1
	}
	for i, m := range o.Messages {
		n := o.First + i
		if n <= s.received {
			continue
		}
		if n > s.received+1 {
			return fmt.Errorf("%w: message %d after %d", errRefused, n, s.received)
		}
		s.received = n
		s.deliver(m)
	}
	return nil
}

func (s *stream) deliver(message []byte) {
	var m struct{ Type, Data string }
	switch err := json.Unmarshal(message, &m); {
	case err != nil:
		s.c.t.Errorf("%s: %v", message, err)
	case m.Type == "subscribed":
		close(s.ready)
	case m.Type == "message":
		s.data <- m.Data
	}
}

// post is how a client publishes where its carrier goes only one way.
func (s *stream) post(topic, data string) error {
	s.sent++
	_, body, err := s.c.try(s.c.t.Context(), "POST", "/push", fmt.Sprintf(
		`{"session":%q,"key":%q,"first":%d,"messages":[{"op":"publish","topic":%q,"data":%q}]}`, s.session, s.key, s.sent, topic, data))
	if err == nil && !strings.Contains(body, fmt.Sprintf(`"ack":%d`, s.sent)) {
		err = errors.New(body)
	}
	return err
}

func (s *stream) poll(ctx context.Context) error {
	_, body, err := s.c.try(ctx, "POST", "/push",
		fmt.Sprintf(`{"session":%q,"key":%q,"attach":%d,"ack":%d}`, s.session, s.key, s.attach, s.received))
	if err != nil {
		return err
	}
	return s.take(body)
}

func (s *stream) events(ctx context.Context) error {
	resp, err := s.c.request(ctx, "GET", fmt.Sprintf("/push/sse?session=%s&attach=%d", s.session, s.attach), "",
		"Authorization: Bearer "+s.key, fmt.Sprintf("Last-Event-ID: %d", s.received))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			if err := s.take(data); err != nil {
				return err
			}
		}
	}
	return errors.New("the stream ended")
}

func (s *stream) socket(ctx context.Context) error {
	d := websocket.Dialer{NetDialContext: s.c.dial, TLSClientConfig: s.c.tls, Subprotocols: []string{"push.v1"}}
	ws, resp, err := d.DialContext(ctx, "wss://"+s.c.host+"/push/ws", nil)
	if err != nil {
		if resp != nil {
			err = errors.New(resp.Status)
		}
		return err
	}
	defer ws.Close()
	defer context.AfterFunc(ctx, func() { ws.Close() })()
	hello := fmt.Sprintf(`{"session":%q,"key":%q,"attach":%d,"ack":%d}`, s.session, s.key, s.attach, s.received)
	if err := ws.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
		return err
	}
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		if err := s.take(string(text)); err != nil {
			return err
		}
	}
}

// overBOSH keeps one request open, and repeats those that are cut.
func overBOSH(ctx context.Context, c *client, topic string) (*stream, error) {
	const open = `<body xmlns='http://jabber.org/protocol/httpbind' rid='%d' `
	rid := 1000
	_, body, err := c.try(ctx, "POST", "/http-bind", fmt.Sprintf(open+`to='bus' wait='60' hold='1' ver='1.6'/>`, rid))
	if err != nil {
		return nil, err
	}
	var created boshAnswer
	if err := xml.Unmarshal([]byte(body), &created); err != nil || created.SID == "" {
		return nil, fmt.Errorf("no session: %s", body)
	}
	s := &stream{c: c, data: make(chan string, 1000), ready: make(chan struct{})}
	var mu sync.Mutex // of all below
	var requests sync.WaitGroup
	waiting := 0
	answers, next := make(map[int]*boshAnswer), rid+1
	var send func(payload string)
	send = func(payload string) {
		mu.Lock()
		defer mu.Unlock()
		rid++
		waiting++
		request := fmt.Sprintf(open+`sid='%s'>%s</body>`, rid, created.SID, payload)
		number := rid
		requests.Go(func() {
			answer := c.insist(ctx, s, &mu, "/http-bind", request)
			mu.Lock()
			defer mu.Unlock()
			waiting--
			answers[number] = answer
			for ; answers[next] != nil; next++ {
				for _, message := range answers[next].Messages {
					s.deliver([]byte(message))
				}
			}
			if waiting == 0 && ctx.Err() == nil {
				requests.Go(func() { send("") })
			}
		})
	}
	const payload = `<json xmlns='urn:xmpp:json:0'>%s</json>`
	s.publish = func(topic, data string) error {
		send(fmt.Sprintf(payload, fmt.Sprintf(`{"op":"publish","topic":%q,"data":%q}`, topic, data)))
		return nil
	}
	send(fmt.Sprintf(payload, fmt.Sprintf(`{"op":"subscribe","topic":%q}`, topic)))
	context.AfterFunc(ctx, func() { requests.Wait(); close(s.data) })
	return s, nil
}

// A boshAnswer is a <body/> of the server.
type boshAnswer struct {
	SID      string   `xml:"sid,attr"`
	Type     string   `xml:"type,attr"`
	Messages []string `xml:"urn:xmpp:json:0 json"`
}

// insist repeats a request until it is answered; nil: the context is done.
func (c *client) insist(ctx context.Context, s *stream, mu *sync.Mutex, path, body string) *boshAnswer {
	for ctx.Err() == nil {
		var a boshAnswer
		status, answer, err := c.try(ctx, "POST", path, body)
		if err == nil && status == http.StatusOK {
			err = xml.Unmarshal([]byte(answer), &a)
		} else if err == nil {
			err = errors.New(answer)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil && a.Type == "terminate":
			c.t.Errorf("the session ended: %s", answer)
			<-ctx.Done()
		case err == nil:
			return &a
		default:
			mu.Lock()
			s.cuts++
			mu.Unlock()
			pause(ctx)
		}
	}
	return nil
}
