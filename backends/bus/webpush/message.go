package webpush

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// A Message is the notification for who is not there, and how it is to be sent. In
// JSON it is the member push of a publication.
type Message struct {
	// Title, Body, URL, Icon and Tag are for the page's service worker. One with the
	// tag of another takes its place.
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	URL   string `json:"url,omitempty"`
	Icon  string `json:"icon,omitempty"`
	Tag   string `json:"tag,omitempty"`
	// Data is whatever else the service worker is to know.
	Data json.RawMessage `json:"data,omitempty"`

	// TTL is for how many seconds the push service keeps it for a browser that is
	// off. Nil: DefaultTTL. Zero: not at all.
	TTL *int `json:"ttl,omitempty"`
	// Urgency is very-low, low, normal or high (RFC 8030 section 5.3). Empty: normal.
	Urgency string `json:"urgency,omitempty"`
	// Topic has one that waits at the push service replaced by the next with the same
	// (RFC 8030 section 5.4): up to 32 letters, digits, "-" and "_".
	Topic string `json:"topic,omitempty"`
	// After is for how many seconds it waits for an acknowledgement of the message.
	// Zero: who has a session is taken to be there.
	After float64 `json:"after,omitempty"`
}

// DefaultTTL is that of a message which says none.
const DefaultTTL = 24 * time.Hour

// maxTTL is the longest that push services keep: four weeks.
const maxTTL = 28 * 24 * 60 * 60

var (
	urgencies   = []string{"", "very-low", "low", "normal", "high"}
	topicSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{0,32}$`)
)

// ParseMessage reads a message. Members that do not exist are errors: who writes them
// means something else. Errors are a *bus.Error with BadRequest.
func ParseMessage(data []byte) (*Message, error) {
	m := new(Message)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, badRequest("push: " + err.Error())
	}
	return m, nil
}

// check refuses what cannot be sent.
func (m *Message) check(maxAfter time.Duration) error {
	switch {
	case m.Title == "" && m.Body == "" && m.Data == nil:
		return badRequest("push: neither title, body nor data is there")
	case m.TTL != nil && (*m.TTL < 0 || *m.TTL > maxTTL):
		return badRequest("push: ttl is not from 0 to " + strconv.Itoa(maxTTL))
	case !slices.Contains(urgencies, m.Urgency):
		return badRequest("push: urgency is none of very-low, low, normal and high")
	case !topicSyntax.MatchString(m.Topic):
		return badRequest("push: topic is not up to 32 letters, digits, - and _")
	case !(m.After >= 0 && m.After <= maxAfter.Seconds()):
		return badRequest(fmt.Sprintf("push: after is not from 0 to %g seconds", maxAfter.Seconds()))
	}
	return nil
}

// payload is what the service worker gets.
func (m *Message) payload(limit int) ([]byte, error) {
	shown := Message{Title: m.Title, Body: m.Body, URL: m.URL, Icon: m.Icon, Tag: m.Tag, Data: m.Data}
	p, err := json.Marshal(&shown)
	if err != nil {
		return nil, badRequest("push: data is not JSON")
	}
	if len(p) > limit {
		return nil, badRequest(fmt.Sprintf("push: %d bytes are more than the %d for which there is room", len(p), limit))
	}
	return p, nil
}

func (m *Message) ttl() int {
	if m.TTL == nil {
		return int(DefaultTTL / time.Second)
	}
	return *m.TTL
}

func (m *Message) after() time.Duration { return time.Duration(m.After * float64(time.Second)) }
