package witness

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// This file has BOSH (XEP-0124), to the event bus.

const httpbind = "http://jabber.org/protocol/httpbind"

type body struct {
	SID       string   `xml:"sid,attr"`
	Type      string   `xml:"type,attr"`
	Condition string   `xml:"condition,attr"`
	JSON      []string `xml:"urn:xmpp:json:0 json"`
}

func (c *client) postBOSH(ctx context.Context, rid int, attrs, payload string) (*body, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	text := fmt.Sprintf("<body xmlns='%s' rid='%d' %s>%s</body>", httpbind, rid, attrs, payload)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url()+"/http-bind", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
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
		return nil, &refusal{code: resp.Status, after: retryAfter(resp)}
	}
	b := new(body)
	if err := xml.Unmarshal(data, b); err != nil {
		return nil, err
	}
	switch b.Type {
	case "terminate":
		return nil, &refusal{code: "end", text: b.Condition}
	case "error": // to be repeated (XEP-0124 §17.3)
		return nil, &refusal{code: "repeat"}
	}
	return b, nil
}

func (c *client) createBOSH(ctx context.Context) error {
	b, err := c.postBOSH(ctx, 1, "to='bus' ver='1.6' wait='30' hold='1'", "")
	if err == nil {
		c.session = b.SID
	}
	return err
}

// bosh keeps one request held, and sends what is to be said in a second one.
func (c *client) bosh(ctx context.Context) {
	var requests sync.WaitGroup
	rid, done := 1, 1 // of the newest request; all up to there are answered
	answers := map[int]*body{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for ctx.Err() == nil {
		if !c.await(ctx, func() bool { return rid == done || rid == done+1 && c.acked < len(c.messages) }) {
			break
		}
		payload := new(bytes.Buffer)
		for _, m := range c.messages[c.acked:] {
			fmt.Fprintf(payload, "<json xmlns='urn:xmpp:json:0'>%s</json>", m)
		}
		c.acked = len(c.messages) // this request is repeated until it is answered
		rid++
		n := rid
		requests.Go(func() {
			b := c.insist(ctx, n, payload.String())
			c.mu.Lock()
			defer c.mu.Unlock()
			for answers[n] = b; answers[done+1] != nil; delete(answers, done) {
				done++
				for _, j := range answers[done].JSON {
					c.take([]byte(j))
				}
			}
			c.tell()
		})
	}
	c.mu.Unlock()
	requests.Wait()
	c.mu.Lock()
}

// insist repeats a request until it is answered.
func (c *client) insist(ctx context.Context, rid int, payload string) *body {
	for ctx.Err() == nil {
		b, err := c.postBOSH(ctx, rid, "sid='"+c.session+"'", payload)
		if err == nil {
			return b
		}
		c.rest(ctx, c.verdict(err))
	}
	return nil
}
