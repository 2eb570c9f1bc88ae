package clients_test

import (
	"os"
	"testing"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

func TestJavaScriptClients(t *testing.T) {
	strophe := javaScript(t, "strophe.mjs", "bosh")
	stropheWS := javaScript(t, "strophe.mjs", "websocket")
	stanza := javaScript(t, "stanza.mjs", "bosh")
	stanzaWS := javaScript(t, "stanza.mjs", "websocket")
	xmppClient := javaScript(t, "xmpp-client.mjs")

	ejabberd := xmpptest.StartEjabberd(t, &xmpptest.Options{Domain: domain, Users: names(10)})
	for server, at := range map[string]struct {
		addr string
		accounts
		first int // of the users
	}{
		"Prosody":  {shared.addr, ours, 101},
		"ejabberd": {ejabberd.Addr, theirs, 1},
	} {
		gateway := startGateway(t, at.addr)
		for n, test := range []scenario{
			{"strophe.js speaks BOSH", strophe, stropheWS, unnoticed},
			{"strophe.js speaks WebSocket", stropheWS, strophe, reopened},
			{"stanza speaks BOSH", stanza, xmppClient, disordered},
			{"stanza speaks WebSocket", stanzaWS, strophe, resumed},
			{"@xmpp client speaks WebSocket", xmppClient, stanza, resumed},
		} {
			t.Run(test.name+" with "+server, func(t *testing.T) {
				t.Parallel()
				test.play(t, gateway, at.accounts, at.first+2*n)
			})
		}
	}
}

// javaScript is the command that runs a client program.
func javaScript(t *testing.T, program string, args ...string) []string {
	t.Helper()
	if _, err := os.Stat("js/node_modules/strophe.js"); err != nil {
		t.Fatalf("%v: scripts/setup installs it", err)
	}
	return append([]string{"node", "js/" + program}, args...)
}
