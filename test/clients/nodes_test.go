package clients_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// TestItsServerDies has clients of one of two gateways, which are one on NATS, go on
// at the other when theirs is killed. The XMPP stream dies with it, and they are told
// so at once: those that can resume it (XEP-0198) do, and nothing is lost or doubled.
func TestItsServerDies(t *testing.T) {
	program, nats := build(t), startNATS(t)
	ejabberd := xmpptest.StartEjabberd(t, &xmpptest.Options{Domain: domain, Users: names(12)})
	for server, at := range map[string]struct {
		addr string
		accounts
		first int // of the users
	}{
		"Prosody":  {shared.addr, ours, 151},
		"ejabberd": {ejabberd.Addr, theirs, 1},
	} {
		gateway := func(t *testing.T, name string) (addr string, kill func()) {
			return serve(t, program, "--node="+name, "--nats="+nats, "--nats-prefix="+server, "--xmpp="+domain+"="+at.addr+"?tls=off")
		}
		other, _ := gateway(t, "other")
		for n, test := range []struct {
			name    string
			command []string
			back    recovery
		}{
			{"strophe.js over WebSocket", javaScript(t, "strophe.mjs", "websocket", "resume"), resumed},
			{"strophe.js over BOSH", javaScript(t, "strophe.mjs", "bosh"), again},
			{"@xmpp client over WebSocket", javaScript(t, "xmpp-client.mjs"), resumed},
			{"stanza over WebSocket", javaScript(t, "stanza.mjs", "websocket"), resumed},
			{"stanza over BOSH", javaScript(t, "stanza.mjs", "bosh"), resumed},
		} {
			t.Run(test.name+" with "+server, func(t *testing.T) {
				t.Parallel()
				n := at.first + 2*n
				its, kill := gateway(t, fmt.Sprint("its", n))
				line := newWire(t, its)
				c := start(t, line.Addr().String(), n, at.password(n), test.command...)
				peer := start(t, other, n+1, at.password(n+1), javaScript(t, "strophe.mjs", "bosh")...)
				address, peerAddress := c.login(at.contacts), peer.login(at.contacts)
				c.send(peerAddress, "before")
				peer.wantMessage("before")

				if test.back == resumed { // what it says is lost on the way
					text := ""
					if strings.Contains(test.name, "BOSH") {
						text = "number 0" // not that it asks whether what was before has come
					}
					lost := line.loseNextWith(true, text)
					c.send(peerAddress, "number 0")
					<-lost
				}
				line.lead(other)
				kill()
				if test.back == again {
					if e := c.await("error"); !strings.Contains(e.Reason, "item-not-found") {
						t.Errorf("told %q", e.Reason)
					}
					address = c.login(at.contacts)
					c.send(peerAddress, "number 0")
				}
				for i := range 3 {
					peer.send(address, fmt.Sprintf("number %d", i))
				}
				c.wantNumbered(3, test.back)
				peer.wantNumbered(1, unnoticed)
				c.send(peerAddress, "still here")
				peer.wantMessage("still here")
				c.logout()
				peer.logout()
			})
		}
	}
}

// startNATS starts a server of NATS, and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("NATS does not start")
	}
	return s.ClientURL()
}
