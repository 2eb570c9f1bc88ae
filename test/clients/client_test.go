package clients_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// patience is how long a client may take for one thing. libpurple collects
// for a second before it sends, at each step of its login.
const patience = 40 * time.Second

// An event is a line that a client program prints.
type event struct {
	Event   string `json:"event"`
	JID     string `json:"jid"`
	Items   int    `json:"items"`
	From    string `json:"from"`
	Body    string `json:"body"`
	Reason  string `json:"reason"`
	Resumed bool   `json:"resumed"`
}

// A client is a running client program.
type client struct {
	t      *testing.T
	name   string
	events chan event // closed when the program has ended
	stdin  io.WriteCloser
}

// start runs a client program for a user against the gateway at host:port.
func start(t *testing.T, gateway string, n int, password string, command ...string) *client {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(),
		"XMPP_BOSH=http://"+gateway+"/http-bind/",
		"XMPP_WS=ws://"+gateway+"/xmpp-websocket",
		"XMPP_DOMAIN="+domain, "XMPP_JID="+jid(n), "XMPP_PASSWORD="+password,
		"TMPDIR="+t.TempDir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said lockedBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, name: user(n), events: make(chan event, 100), stdin: stdin}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(c.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = event{Event: "error", Reason: lines.Text()}
			}
			c.events <- e
		}
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		for range c.events {
		}
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", c.name, said.String())
		}
	})
	return c
}

// await returns the next event, which must be of this kind.
func (c *client) await(kind string) event {
	c.t.Helper()
	select {
	case e, ok := <-c.events:
		if !ok {
			c.t.Fatalf("%s ended before %s", c.name, kind)
		}
		if e.Event != kind {
			c.t.Fatalf("%s: %+v, want %s", c.name, e, kind)
		}
		return e
	case <-time.After(patience):
		c.t.Fatalf("%s: no %s", c.name, kind)
	}
	return event{}
}

// login waits until the client is online with its roster.
func (c *client) login(contacts int) (jid string) {
	c.t.Helper()
	online := c.await("online")
	if roster := c.await("roster"); roster.Items != contacts {
		c.t.Errorf("%s has %d contacts, want %d", c.name, roster.Items, contacts)
	}
	return online.JID
}

func (c *client) do(command any) {
	c.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.stdin.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
}

func (c *client) send(to, body string) {
	c.t.Helper()
	c.do(map[string]any{"send": map[string]string{"to": to, "body": body}})
}

// wantMessage waits for a message with this body.
func (c *client) wantMessage(body string) event {
	c.t.Helper()
	e := c.await("message")
	if e.Body != body {
		c.t.Fatalf("%s got %q, want %q", c.name, e.Body, body)
	}
	return e
}

// wantNumbered waits for so many messages, "number 0" and so on, each once and
// in order, and for its being online again at any time among them, where this
// is how it recovers.
func (c *client) wantNumbered(messages int, back recovery) {
	c.t.Helper()
	missing := make([]string, messages)
	for n := range missing {
		missing[n] = fmt.Sprintf("number %d", n)
	}
	for online := back == resumed; len(missing) > 0 || online; {
		select {
		case e, ok := <-c.events:
			n := slices.Index(missing, e.Body)
			switch {
			case ok && e.Event == "online" && e.Resumed && online:
				online = false
			case ok && e.Event == "message" && (n == 0 || n > 0 && back == disordered):
				missing = slices.Delete(missing, n, n+1)
			default:
				c.t.Fatalf("%s: %+v, want %q", c.name, e, missing)
			}
		case <-time.After(patience):
			c.t.Fatalf("%s: no %q", c.name, missing)
		}
	}
}

// logout waits until the client has left, with nothing more to say.
func (c *client) logout() {
	c.t.Helper()
	c.do(map[string]bool{"quit": true})
	c.await("closed")
	for e := range c.events {
		c.t.Errorf("%s after its end: %+v", c.name, e)
	}
}
