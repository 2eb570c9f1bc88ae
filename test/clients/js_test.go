package clients_test

import (
	"os"
	"testing"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

func TestJavaScriptClients(t *testing.T) {
	if _, err := os.Stat("js/node_modules/strophe.js"); err != nil {
		t.Fatalf("%v: scripts/setup installs it", err)
	}
	program := func(name string, args ...string) []string { return append([]string{"node", "js/" + name}, args...) }
	strophe := program("strophe.mjs", "bosh")
	stropheWS := program("strophe.mjs", "websocket")
	stanza := program("stanza.mjs", "bosh")
	stanzaWS := program("stanza.mjs", "websocket")
	xmppClient := program("xmpp-client.mjs")

	ejabberd := xmpptest.StartEjabberd(t, &xmpptest.Options{Domain: domain, Users: names(users)})
	for server, at := range map[string]struct {
		addr string
		accounts
		first int // of the users
	}{
		"Prosody":  {shared.addr, ours, 101},
		"ejabberd": {ejabberd.Addr, accounts{0, func(int) string { return xmpptest.Password }}, 1},
	} {
		gateway := startGateway(t, at.addr)
		for n, test := range []scenario{
			{"strophe.js speaks BOSH", strophe, stropheWS, unnoticed},
			{"strophe.js speaks WebSocket", stropheWS, strophe, again},
			{"stanza speaks BOSH", stanza, xmppClient, unnoticed},
			{"stanza speaks WebSocket", stanzaWS, strophe, resumed},
			{"@xmpp client speaks WebSocket", xmppClient, stanza, resumed},
		} {
			if server == "ejabberd" && test.back == resumed && test.name[0] == '@' {
				continue // docs/clients.md: it is given twice what it had before the cut
			}
			t.Run(test.name+" with "+server, func(t *testing.T) {
				t.Parallel()
				test.play(t, gateway, at.accounts, at.first+2*n)
			})
		}
	}
}
