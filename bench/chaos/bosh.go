package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// boshClient is a client of BOSH (XEP-0124) with JSON payloads: a request that
// got no answer is repeated, byte for byte, until it gets one, and answers are
// taken in the order of the requests.
//
// The XEP has a server end the session when a request comes whose answer it
// need not keep any more. So before this client lets the server forget an
// answer, it waits until no copy of the request can be on the way: horizon.
type boshClient struct {
	peer    *peer
	url     string
	http    *http.Client
	rng     *rand.Rand    // with the lock held
	horizon time.Duration // how long the network may keep a copy
	acks    bool          // acknowledgements are used (XEP-0124 §9)

	sid    string
	window uint64

	change
	next     uint64 // rid of the next request
	done     uint64 // all up to it are answered, and the answers taken
	quiet    uint64 // no copies of these are on the way
	open     map[uint64]*boshRequest
	lastSent map[uint64]time.Time // of the requests above quiet
	sent     uint64               // messages
	err      error
}

type boshRequest struct {
	body   string
	answer *boshAnswer
}

type boshAnswer struct {
	Type      string   `xml:"type,attr"`
	Condition string   `xml:"condition,attr"`
	SID       string   `xml:"sid,attr"`
	Requests  uint64   `xml:"requests,attr"`
	Messages  []string `xml:"urn:xmpp:json:0 json"`
}

// openMost is how many requests are open at once.
const openMost = 4

func (c *boshClient) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.open, c.lastSent = make(map[uint64]*boshRequest), make(map[uint64]time.Time)
	if err := c.create(ctx); err != nil {
		return err
	}
	c.Lock()
	defer c.Unlock()
	for c.err == nil && ctx.Err() == nil && !c.complete() {
		if !c.request(ctx) {
			c.wait(ctx, 20*time.Millisecond)
		}
	}
	return errors.Join(c.err, ctx.Err())
}

// complete reports whether all is sent and received.
func (c *boshClient) complete() bool {
	select {
	case <-c.peer.down.complete:
		return c.sent == c.last() && c.upTaken()
	default:
		return false
	}
}

// upTaken reports whether every request with messages was answered.
func (c *boshClient) upTaken() bool {
	for _, r := range c.open {
		if strings.Contains(r.body, "<json") {
			return false
		}
	}
	return true
}

func (c *boshClient) last() uint64 { return c.peer.up.want + 1 } // the greeting is the first

// create makes the session. Each try is a session of its own: a copy with the
// same rid would be, too.
func (c *boshClient) create(ctx context.Context) error {
	for ctx.Err() == nil {
		c.Lock()
		rid := uint64(c.rng.Int64N(1<<50)) + 1
		c.Unlock()
		ack := ""
		if c.acks {
			ack = " ack='1'"
		}
		a, err := c.post(ctx, fmt.Sprintf(`<body rid='%d' hold='254' wait='2' ver='1.11' xml:lang='en'%s xmlns='http://jabber.org/protocol/httpbind'/>`, rid, ack), time.Second)
		if err == nil && a.SID != "" {
			c.sid, c.window = a.SID, a.Requests
			c.next, c.done, c.quiet = rid+1, rid, rid
			return nil
		}
	}
	return ctx.Err()
}

// request sends another request, if the window and the horizon allow it and
// there is a reason.
func (c *boshClient) request(ctx context.Context) bool {
	c.settle()
	more := c.sent < c.last()
	if len(c.open) >= openMost || !more && len(c.open) >= 2 || c.next > c.quiet+min(c.window, 250) {
		return false
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<body rid='%d' sid='%s'`, c.next, c.sid)
	if c.acks {
		fmt.Fprintf(&b, ` ack='%d'`, min(c.quiet, c.done))
	}
	b.WriteString(` xmlns='http://jabber.org/protocol/httpbind'>`)
	for n := c.rng.IntN(40); n > 0 && c.sent < c.last(); n-- {
		raw := greet(c.peer.number)
		if c.sent > 0 {
			raw = message(c.sent)
			c.peer.upSent.Store(c.sent)
		}
		c.sent++
		b.WriteString(`<json xmlns='urn:xmpp:json:0'>`)
		_ = xml.EscapeText(&b, raw) // a Builder does not fail
		b.WriteString(`</json>`)
	}
	b.WriteString(`</body>`)
	c.open[c.next] = &boshRequest{body: b.String()}
	go c.carry(ctx, c.next, b.String())
	c.next++
	return true
}

// settle finds out which requests are long enough ago.
func (c *boshClient) settle() {
	for c.quiet < c.done && time.Since(c.lastSent[c.quiet+1]) > c.horizon {
		c.quiet++
		delete(c.lastSent, c.quiet)
	}
}

// carry sends a request until it is answered.
func (c *boshClient) carry(ctx context.Context, rid uint64, body string) {
	for ctx.Err() == nil {
		patience := 3 * time.Second
		c.Lock()
		if c.rng.IntN(50) == 0 {
			patience = time.Duration(1 + c.rng.Int64N(int64(100*time.Millisecond)))
		}
		c.lastSent[rid] = time.Now()
		c.Unlock()
		a, err := c.post(ctx, body, patience)
		c.Lock()
		c.lastSent[rid] = time.Now()
		pause := time.Duration(c.rng.Int64N(int64(10 * time.Millisecond)))
		if err == nil && a.Type != "error" {
			c.answered(rid, a)
			c.Unlock()
			return
		}
		c.Unlock()
		time.Sleep(pause)
	}
}

// answered takes the answers that are in order now; with the lock held.
func (c *boshClient) answered(rid uint64, a *boshAnswer) {
	defer c.tell()
	if a.Type == "terminate" {
		c.err = &errOver{a.Condition, fmt.Sprintf("request %d, answered up to %d", rid, c.done)}
		return
	}
	c.open[rid].answer = a
	for r := c.open[c.done+1]; r != nil && r.answer != nil; r = c.open[c.done+1] {
		for _, m := range r.answer.Messages {
			c.peer.down.take([]byte(m))
		}
		c.done++
		delete(c.open, c.done)
	}
}

// post sends a body and returns that of the answer. Other statuses than 200 are
// not the server's, nor are answers that end too soon.
func (c *boshClient) post(ctx context.Context, body string, patience time.Duration) (*boshAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/http-bind", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(strconv.Itoa(resp.StatusCode))
	}
	a := new(boshAnswer)
	if err := xml.Unmarshal(data, a); err != nil {
		return nil, err
	}
	return a, nil
}
