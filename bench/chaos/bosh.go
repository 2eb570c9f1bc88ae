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
	traffic boshTraffic
	to      string // attributes of the creation and of restarts, besides those of BOSH
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
	latest   time.Time            // when the last request was made
	restart  bool                 // the next request restarts the stream (XEP-0206 §5)
	err      error
}

// boshTraffic is what goes over a session. The client calls it one at a time.
type boshTraffic interface {
	// payloads returns what the next request takes along, most elements at most.
	payloads(most int) []string
	// take takes what an answer brought.
	take(*boshAnswer)
	// complete reports whether all is sent and received, once every request
	// with payloads was answered.
	complete() bool
}

type boshRequest struct {
	answer *boshAnswer
	empty  bool
}

type boshAnswer struct {
	Type      string   `xml:"type,attr"`
	Condition string   `xml:"condition,attr"`
	SID       string   `xml:"sid,attr"`
	Requests  uint64   `xml:"requests,attr"`
	Messages  []string `xml:"urn:xmpp:json:0 json"`
	Stanzas   []stanza `xml:",any"`
}

// openMost is how many requests are open at once.
const openMost = 4

const boshNamespaces = ` xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'`

func (c *boshClient) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.open, c.lastSent = make(map[uint64]*boshRequest), make(map[uint64]time.Time)
	if err := c.create(ctx); err != nil {
		return err
	}
	c.Lock()
	defer c.Unlock()
	for c.err == nil && ctx.Err() == nil && !(c.traffic.complete() && c.allTaken()) {
		if !c.request(ctx) {
			c.wait(ctx, 10*time.Millisecond)
		}
	}
	return errors.Join(c.err, ctx.Err())
}

// allTaken reports whether every request with payloads was answered.
func (c *boshClient) allTaken() bool {
	for _, r := range c.open {
		if !r.empty {
			return false
		}
	}
	return true
}

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
		a, err := c.post(ctx, fmt.Sprintf(`<body rid='%d' hold='254' wait='2' ver='1.11' xml:lang='en'%s%s/>`, rid, ack, c.to+boshNamespaces), 3*time.Second)
		if err == nil && a.SID != "" {
			c.sid, c.window = a.SID, a.Requests
			c.next, c.done, c.quiet = rid+1, rid, rid
			c.traffic.take(a)
			return nil
		}
	}
	return ctx.Err()
}

// request sends another request, if the window and the horizon allow it and
// there is a reason.
func (c *boshClient) request(ctx context.Context) bool {
	c.settle()
	// So many at most within the horizon, evenly: the window would close.
	most := min(c.window, 250)
	if len(c.open) >= openMost || c.next > c.quiet+most || time.Since(c.latest) < c.horizon/time.Duration(most) {
		return false
	}
	var payloads []string
	if !c.restart {
		payloads = c.traffic.payloads(c.rng.IntN(40))
	}
	if len(payloads) == 0 && !c.restart && len(c.open) >= 2 {
		return false
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<body rid='%d' sid='%s'`, c.next, c.sid)
	if c.acks {
		fmt.Fprintf(&b, ` ack='%d'`, min(c.quiet, c.done))
	}
	if c.restart {
		b.WriteString(c.to + ` xmpp:restart='true'`)
		c.restart = false
	}
	b.WriteString(boshNamespaces + `>`)
	for _, p := range payloads {
		b.WriteString(p)
	}
	b.WriteString(`</body>`)
	c.latest = time.Now()
	c.open[c.next] = &boshRequest{empty: len(payloads) == 0}
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
		c.traffic.take(r.answer)
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

// numbered is the traffic of a client of the backend: its messages up, and the
// backend's down.
type numbered struct {
	peer *peer
	sent uint64
}

func (t *numbered) last() uint64 { return t.peer.up.want + 1 } // the greeting is the first

func (t *numbered) payloads(most int) (all []string) {
	for ; most > 0 && t.sent < t.last(); most-- {
		raw := greet(t.peer.number)
		if t.sent > 0 {
			raw = message(t.sent)
			t.peer.upSent.Store(t.sent)
		}
		t.sent++
		all = append(all, `<json xmlns='urn:xmpp:json:0'>`+escape(raw)+`</json>`)
	}
	return all
}

func (t *numbered) take(a *boshAnswer) {
	for _, m := range a.Messages {
		t.peer.down.take([]byte(m))
	}
}

func (t *numbered) complete() bool { return t.sent == t.last() && t.peer.down.isComplete() }

func escape(text []byte) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, text) // a Builder does not fail
	return b.String()
}
