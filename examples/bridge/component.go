package main

import (
	"context"
	"crypto/sha1" // as XEP-0114 has it
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net"
	"sync"
	"time"
)

// A component is a connection to an XMPP server, which has a domain of its own there
// (XEP-0114). Send may be called from several goroutines at once.
type component struct {
	conn    net.Conn
	decoder *xml.Decoder
	mu      sync.Mutex
}

const (
	acceptNS  = "jabber:component:accept"
	streamsNS = "http://etherx.jabber.org/streams"
	// writing bounds how long the server may take nothing.
	writing = 30 * time.Second
)

// A stanza is a message, presence or iq, as far as the bridge reads it.
type stanza struct {
	XMLName xml.Name
	From    string    `xml:"from,attr,omitempty"`
	To      string    `xml:"to,attr,omitempty"`
	ID      string    `xml:"id,attr,omitempty"`
	Type    string    `xml:"type,attr,omitempty"`
	Body    *string   `xml:"body"`
	Ping    *struct{} `xml:"urn:xmpp:ping ping"`
	Error   *refusal  `xml:"error"`
}

// A refusal says why a message was not taken (RFC 6120 §8.3).
type refusal struct {
	Type      string   `xml:"type,attr"`
	Condition struct{} `xml:"urn:ietf:params:xml:ns:xmpp-stanzas service-unavailable"`
	Text      string   `xml:"urn:ietf:params:xml:ns:xmpp-stanzas text"`
}

// connect opens the stream and shows the secret.
func connect(ctx context.Context, server, domain, secret string) (*component, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	c := &component{conn: conn, decoder: xml.NewDecoder(conn)}
	if err := c.shake(domain, secret); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *component) shake(domain, secret string) error {
	c.conn.SetDeadline(time.Now().Add(writing))
	defer c.conn.SetDeadline(time.Time{})
	if _, err := fmt.Fprintf(c.conn, "<stream:stream xmlns='%s' xmlns:stream='%s' to='%s'>", acceptNS, streamsNS, domain); err != nil {
		return err
	}
	opening, err := c.element()
	if err != nil {
		return err
	}
	id := ""
	for _, a := range opening.Attr {
		if a.Name.Local == "id" {
			id = a.Value
		}
	}
	sum := sha1.Sum([]byte(id + secret))
	if _, err := fmt.Fprintf(c.conn, "<handshake>%s</handshake>", hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	answer, err := c.element()
	if err != nil {
		return err
	}
	if answer.Name.Local != "handshake" {
		return fmt.Errorf("the server answers the secret with %s", answer.Name.Local)
	}
	return c.decoder.Skip()
}

// element returns the next start of an element.
func (c *component) element() (xml.StartElement, error) {
	for {
		token, err := c.decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			return start, nil
		}
	}
}

// next returns the next stanza.
func (c *component) next() (*stanza, error) {
	start, err := c.element()
	if err != nil {
		return nil, err
	}
	if start.Name.Space == streamsNS {
		return nil, fmt.Errorf("the server ends the stream: %s", start.Name.Local)
	}
	s := new(stanza)
	return s, c.decoder.DecodeElement(s, &start)
}

// send sends a stanza. What XML cannot say becomes U+FFFD.
func (c *component) send(s *stanza) error {
	data, err := xml.Marshal(s)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(writing))
	_, err = c.conn.Write(data)
	return err
}
