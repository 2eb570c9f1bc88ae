package xmpptest

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const header = `<?xml version='1.0'?><stream:stream to='im.example' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

// answer returns what a server says to a header, up to its features.
func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, header)
	var said strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := c.Read(buf)
		said.Write(buf[:n])
		if strings.Contains(said.String(), "</stream:features>") {
			return said.String()
		}
		if err != nil {
			t.Fatalf("%v after %s", err, said.String())
		}
	}
}

func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, *Options) *Server{"prosody": StartProsody, "ejabberd": StartEjabberd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			dial := func() net.Conn {
				c, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			if got := answer(t, dial()); !strings.Contains(got, "xmpp-tls") || !strings.Contains(got, ">PLAIN<") {
				t.Errorf("features in clear: %s", got)
			}
			c, err := tls.Dial("tcp", s.DirectTLS, &tls.Config{ServerName: s.Domain, RootCAs: s.CA, NextProtos: []string{"xmpp-client"}})
			if err != nil {
				t.Fatal(err)
			}
			if got := answer(t, c); strings.Contains(got, "xmpp-tls") || !strings.Contains(got, ">PLAIN<") {
				t.Errorf("features with TLS: %s", got)
			}
			r, err := http.Post("http://"+s.HTTP+"/http-bind", "text/xml", strings.NewReader(`<body xmlns='http://jabber.org/protocol/httpbind' to='im.example' rid='1' wait='10' hold='1' ver='1.6' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>`))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(r.Body); !strings.Contains(string(got), "sid=") {
				t.Errorf("BOSH says %s", got)
			}
			r.Body.Close()
			s.Stop()
			if _, err := net.Dial("tcp", s.Addr); err == nil {
				t.Error("it listens, although it was stopped")
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			answer(t, dial())
		})
	}
}
