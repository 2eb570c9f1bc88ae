package clients_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// A loss is a piece of data that does not arrive, though its sender has
// written it.
type loss struct {
	toGateway bool
	has       string // what is in the piece; empty: anything
	happened  chan struct{}
}

// loseNext has the wire take the next piece of data that goes this way for
// itself, and cut all connections in that moment. The result is closed then.
func (w *wire) loseNext(toGateway bool) <-chan struct{} { return w.loseNextWith(toGateway, "") }

// loseNextWith waits for a piece that has a text in it. On a WebSocket, what clients say
// cannot be read.
func (w *wire) loseNextWith(toGateway bool, text string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss = &loss{toGateway, text, make(chan struct{})}
	return w.loss.happened
}

func (w *wire) loses(toGateway bool, piece []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loss == nil || w.loss.toGateway != toGateway || !bytes.Contains(piece, []byte(w.loss.has)) {
		return false
	}
	close(w.loss.happened)
	w.loss = nil
	return true
}

// TestLostOnTheWay cuts connections at the worst moments: between what was
// written and who should read it. Nothing is lost, and nothing arrives twice.
func TestLostOnTheWay(t *testing.T) {
	gateway := startGateway(t, shared.addr)
	for n, test := range []struct {
		name    string
		command []string
		peer    []string
		back    recovery
	}{
		{"strophe.js over BOSH", javaScript(t, "strophe.mjs", "bosh"), javaScript(t, "xmpp-client.mjs"), unnoticed},
		{"stanza over BOSH", javaScript(t, "stanza.mjs", "bosh"), javaScript(t, "stanza.mjs", "websocket"), disordered},
		{"stanza over WebSocket", javaScript(t, "stanza.mjs", "websocket"), javaScript(t, "strophe.mjs", "bosh"), resumed},
		{"@xmpp client over WebSocket", javaScript(t, "xmpp-client.mjs"), javaScript(t, "strophe.mjs", "bosh"), resumed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := 121 + 2*n
			line := newWire(t, gateway)
			c, peer := start(t, line.Addr().String(), n, user(n), test.command...), start(t, gateway, n+1, user(n+1), test.peer...)
			at, peerAt := c.login(ours.contacts), peer.login(ours.contacts)

			// lost has the next piece of data get lost, which something makes
			// come, and waits until it has.
			lost := func(toGateway bool, something func()) {
				t.Helper()
				happened := line.loseNext(toGateway)
				something()
				select {
				case <-happened:
				case <-time.After(patience):
					t.Fatal("nothing was on its way")
				}
			}
			number := func(from *client, to string, n int) { from.send(to, fmt.Sprintf("number %d", n)) }

			// What the client says.
			lost(true, func() { number(c, peerAt, 0) })
			c.wantNumbered(0, test.back) // online: stanza stays away for good if told to send before
			number(c, peerAt, 1)
			number(c, peerAt, 2)
			peer.wantNumbered(3, unnoticed)

			// What it is told.
			lost(false, func() { number(peer, at, 0) })
			number(peer, at, 1)
			number(peer, at, 2)
			c.wantNumbered(3, test.back)

			// That it was heard: what it said is not to be taken twice.
			lost(false, func() {
				number(c, peerAt, 0)
				peer.wantNumbered(1, unnoticed)
				number(peer, at, 0)
			})
			c.wantNumbered(1, test.back)

			c.logout()
			peer.logout()
		})
	}
}
