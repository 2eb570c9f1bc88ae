package xmpp

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// talker is a server that says something, in pieces, whatever it is told.
type talker struct {
	net.Conn
	rest  string
	piece int
}

func (c *talker) Read(p []byte) (int, error) {
	if c.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.piece, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *talker) Write(p []byte) (int, error)      { return len(p), nil }
func (c *talker) Close() error                     { return nil }
func (c *talker) SetDeadline(time.Time) error      { return nil }
func (c *talker) SetReadDeadline(time.Time) error  { return nil }
func (c *talker) SetWriteDeadline(time.Time) error { return nil }

// Whatever a server sends, in pieces of any size, the client gets whole
// elements, and then a definite end.
func FuzzServer(f *testing.F) {
	f.Add(serverHeader+features+`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`+serverHeader+features+"<message><x:y/></message> "+endTag, 7, 1)
	f.Add(serverHeader+withSTARTTLS+endTag, 1, 0)
	f.Add(serverHeader+features+"<enabled xmlns='urn:xmpp:sm:3' resume='1'/><iq><!-- --></iq>", 200, 0)
	f.Add(serverHeader+features+serverHeader+features+serverHeader+`<stream:error/>`, 3, 2)
	f.Add(serverHeader+seeOther("a:1"), 50, 0)
	f.Add("HTTP/1.1 400 Bad Request\r\n\r\n", 3, 0)
	opts := noTLS()
	relay, err := NewRelay(opts)
	if err != nil {
		f.Fatal(err)
	}
	rt := relay.table.Load().routes["im.example"]
	f.Fuzz(func(t *testing.T, sent string, piece, restarts int) {
		if len(sent) > 100_000 || piece < 1 || restarts < 0 {
			return
		}
		l, _, err := relay.open(t.Context(), rt, NoTLS, &talker{rest: sent, piece: piece}, header{})
		if err != nil {
			definite(t, err)
			return
		}
		s := newStream(t.Context(), relay, rt, nil)
		s.link, s.restarts = l, restarts
		frames := l.opened
		for err == nil {
			if frames, err = s.events(frames); err == nil {
				err = l.read()
			}
		}
		l.close()
		if err != errEnded {
			definite(t, err)
		}
		for _, frame := range frames {
			if _, err := xmlframe.ParseElement(frame, false, nil); err != nil {
				t.Fatalf("the client gets %q: %v", frame, err)
			}
		}
	})
}

// definite checks what a client would be told.
func definite(t *testing.T, err error) {
	t.Helper()
	end := endOf(err)
	var said *serverError
	switch {
	case end.Condition == transport.BackendError && errors.As(err, &said) && len(end.Payload) == 1:
	case end.Condition == transport.Unreachable && end.Text != "":
	default:
		t.Fatalf("%v makes %v", err, end)
	}
}
