package main

import (
	"encoding/base64"
	"encoding/xml"
	"io"
	"net"
	"strings"
)

// serveEcho is an XMPP server (RFC 6120) as small as can be: it lets in anybody
// by SASL PLAIN, sends messages back to whom they came from, and answers each
// query with an empty result. It serves connections until the listener ends.
func serveEcho(l net.Listener, domain string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			c := &echoStream{conn: conn, domain: domain}
			if err := c.serve(); err != nil && err != io.EOF {
				c.say("<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
			}
		}()
	}
}

type echoStream struct {
	conn   net.Conn
	domain string
	user   string
	jid    string
}

// echoStanza is any element below the stream's own.
type echoStanza struct {
	XMLName xml.Name
	ID      string `xml:"id,attr"`
	Type    string `xml:"type,attr"`
	To      string `xml:"to,attr"`
	Body    string `xml:"body"`
	Text    string `xml:",chardata"`
	Bind    *struct {
		Resource string `xml:"resource"`
	} `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
}

func (c *echoStream) serve() error {
	d := xml.NewDecoder(c.conn)
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "stream" {
				c.open()
				continue
			}
			var s echoStanza
			if err := d.DecodeElement(&s, &t); err != nil {
				return err
			}
			if c.take(&s); s.XMLName.Local == "auth" {
				// After SASL comes another document (RFC 6120 §6.4.6).
				d = xml.NewDecoder(c.conn)
			}
		case xml.EndElement:
			_, err := io.WriteString(c.conn, "</stream:stream>")
			return err
		}
	}
}

func (c *echoStream) open() {
	features := "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
	if c.user != "" {
		features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
	}
	c.say("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='" + c.domain + "' id='1' version='1.0'>" +
		"<stream:features>" + features + "</stream:features>")
}

func (c *echoStream) take(s *echoStanza) {
	id, to := escaped(s.ID), escaped(s.To)
	switch s.XMLName.Local {
	case "auth":
		message, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Text))
		if parts := strings.Split(string(message), "\x00"); len(parts) == 3 && parts[1] != "" {
			c.user = parts[1]
			c.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
		} else {
			c.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><malformed-request/></failure>")
		}
	case "iq":
		if s.Type != "get" && s.Type != "set" {
			return
		}
		result := ""
		if s.Bind != nil {
			c.jid = escaped(c.user + "@" + c.domain + "/" + s.Bind.Resource)
			result = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>" + c.jid + "</jid></bind>"
		}
		c.say("<iq type='result' id='" + id + "' from='" + c.domain + "'>" + result + "</iq>")
	case "message":
		c.say("<message type='chat' id='" + id + "' from='" + to + "' to='" + c.jid + "'><body>" + escaped(s.Body) + "</body></message>")
	}
}

// say writes XML. What cannot be written will not be read either, and reading
// tells.
func (c *echoStream) say(xml string) { io.WriteString(c.conn, xml) }

func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}
