package xmpp

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
	"github.com/mochibosh/mochibosh/transport"
)

func TestRealServers(t *testing.T) {
	t.Attr("requirements", "R-05.1 R-05.6 R-06.1 R-07.2 L-03.2 L-03.3 L-06.1")
	for name, start := range map[string]func(testing.TB, *xmpptest.Options) *xmpptest.Server{
		"prosody": xmpptest.StartProsody, "ejabberd": xmpptest.StartEjabberd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, nil)
			for name, route := range map[string]Route{
				"in clear":        {Addr: server.Addr, TLS: NoTLS},
				"with STARTTLS":   {Addr: server.Addr, CAFile: server.CAFile},
				"with direct TLS": {Addr: server.DirectTLS, TLS: DirectTLS, RootCAs: server.CA},
			} {
				t.Run(name, func(t *testing.T) { converse(t, route) })
			}
			t.Run("stream management", func(t *testing.T) { streamManagement(t, server) })
			t.Run("R-05.6 not with a certificate of others", func(t *testing.T) {
				w := newRealWorld(t, &Options{Routes: map[string]Route{"im.example": {Addr: server.DirectTLS, TLS: DirectTLS}}})
				w.say(clientOpen)
				w.wantEnd("unknown authority", transport.Unreachable, texts[TLS])
			})
			if server.Proxied == "" {
				return
			}
			for _, version := range []int{1, 2} {
				t.Run(fmt.Sprintf("T-27 it sees the client's address, PROXY protocol %d", version), func(t *testing.T) {
					client := &net.TCPAddr{IP: net.IPv4(192, 0, 2, byte(version)), Port: 4711}
					opts := &Options{
						Routes: map[string]Route{"im.example": {Addr: server.Proxied, CAFile: server.CAFile, Proxy: version}},
						ClientAddr: func(context.Context) (a, b net.Addr) {
							return client, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 443}
						},
					}
					newRealWorld(t, opts).login("alice")
					if !strings.Contains(server.Log(), client.IP.String()) {
						t.Error("the server does not know the client's address")
					}
				})
			}
		})
	}
}

// newRealWorld connects to real servers.
func newRealWorld(t *testing.T, opts *Options) *world {
	t.Helper()
	opts.Dial = new(net.Dialer).DialContext
	return newWorld(t, opts)
}

// converse has two users log in and send each other all kinds of messages.
func converse(t *testing.T, route Route) {
	opts := &Options{Routes: map[string]Route{"im.example": route}}
	alice, bob := newRealWorld(t, opts), newRealWorld(t, opts)
	alice.login("alice")
	bob.login("bob")
	r := rand.New(rand.NewPCG(3, uint64(route.TLS)))
	for n := range 40 {
		from, to, name := alice, bob, "bob"
		if n%2 == 1 {
			from, to, name = bob, alice, "alice"
		}
		stanza := randomStanza(r, name+"@im.example/r", n)
		from.say(stanza)
		got := to.until("<message")
		sent, came := meaning(t, stanza), meaning(t, got)
		slices.Sort(sent) // ejabberd puts children that it knows behind the others
		slices.Sort(came)
		if !slices.Equal(sent, came) || !strings.Contains(got, "xmlns='jabber:client'") {
			t.Fatalf("%s got\n%s\nfor\n%s", name, got, stanza)
		}
	}
	for _, w := range []*world{alice, bob} {
		w.say(clientClose)
		w.wantEnd("a clean end", transport.Normal, "")
	}
}

func TestRestartingServer(t *testing.T) {
	t.Attr("requirements", "T-40")
	server := xmpptest.StartProsody(t, nil)
	opts := &Options{Routes: map[string]Route{"im.example": {Addr: server.Addr, CAFile: server.CAFile}}, RetryFor: time.Minute}
	w := newRealWorld(t, opts)
	w.login("alice")
	server.Stop()
	w.wantEnd("an open stream breaks", transport.Unreachable, texts[Stream])
	w = newRealWorld(t, opts)
	w.say(clientOpen)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	w.until("<stream:features") // a new one waits
}

// until returns the next frame that contains the text.
func (w *world) until(text string) string {
	w.t.Helper()
	for {
		frame := w.next()
		if frame == "" {
			w.t.Fatalf("ended before %s: %v", text, w.end)
		}
		if strings.Contains(frame, text) {
			return frame
		}
	}
}

// login does what every XMPP client does first, and returns the features
// before it binds a resource.
func (w *world) login(user string) (features string) {
	w.t.Helper()
	features = w.authenticate(user)
	w.bind(user)
	return features
}

// authenticate logs in.
func (w *world) authenticate(user string) (features string) {
	w.t.Helper()
	w.say(clientOpen)
	w.until("<open ")
	if f := w.until("<stream:features"); !strings.Contains(f, ">PLAIN<") || strings.Contains(f, "starttls") {
		w.t.Fatalf("features: %s", f)
	}
	w.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+xmpptest.Password)) + `</auth>`)
	w.until("<success")
	w.say(clientOpen)
	w.until("<open ")
	return w.until("urn:ietf:params:xml:ns:xmpp-bind")
}

func (w *world) bind(user string) {
	w.t.Helper()
	w.say(`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`)
	w.until("<jid>" + user + "@im.example/r</jid>")
}
