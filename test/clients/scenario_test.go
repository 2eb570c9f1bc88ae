package clients_test

import (
	"fmt"
	"testing"
)

// A recovery is how a client goes on when its connections are cut.
type recovery string

const (
	unnoticed  recovery = "repeats what was lost"
	disordered recovery = "repeats what was lost, and takes answers as they come"
	resumed    recovery = "resumes its stream (XEP-0198)"
	again      recovery = "logs in again"
	reopened   recovery = "notices the end of its WebSocket, and logs in again"
)

// A scenario is what each client has to go through.
type scenario struct {
	name   string
	client []string
	peer   []string // on the other transport
	back   recovery // from a cut connection
}

// accounts are what is special about a server's users.
type accounts struct {
	contacts int // of each
	password func(n int) string
}

// play has users n and n+1 log in, talk to each other, survive that the first
// is cut off, and log out.
func (s scenario) play(t *testing.T, gateway string, a accounts, n int) {
	line := newWire(t, gateway)
	c := start(t, line.Addr().String(), n, a.password(n), s.client...)
	peer := start(t, gateway, n+1, a.password(n+1), s.peer...)
	at, peerAt := c.login(a.contacts), peer.login(a.contacts)

	const text = `<&> "quoted" ' é 😀`
	c.send(peerAt, text)
	peer.wantMessage(text)
	peer.send(at, text)
	c.wantMessage(text)

	switch s.back {
	case unnoticed, disordered:
		line.cutRequest()
	case again:
		line.cutRequest()
		at = c.login(a.contacts)
	case reopened:
		line.cut()
		at = c.login(a.contacts)
	case resumed:
		line.cut()
		if e := c.await("online"); !e.Resumed {
			t.Fatalf("a new session: %+v", e)
		}
	}
	peer.send(at, "to the one that was cut off")
	c.wantMessage("to the one that was cut off")
	c.send(peerAt, "still here")
	peer.wantMessage("still here")

	if s.back != again && s.back != reopened { // what is sent while it is cut off is not lost either
		for i := range 10 {
			if i == 5 {
				line.cut()
			}
			peer.send(at, fmt.Sprintf("number %d", i))
		}
		c.wantNumbered(10, s.back)
	}
	c.logout()
	peer.logout()
}
