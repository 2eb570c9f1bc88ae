package clients_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tap carries one connection to a server, and keeps what was said on it.
type tap struct {
	addr  string
	ended chan struct{} // when both sides have closed

	mu                   sync.Mutex
	toServer, fromServer []byte
}

func newTap(t *testing.T, server string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{addr: l.Addr().String(), ended: make(chan struct{})}
	t.Cleanup(func() { l.Close(); <-w.ended })
	go func() {
		defer close(w.ended)
		near, err := l.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		far, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer far.Close()
		var both sync.WaitGroup
		both.Go(func() { w.carry(far, near, &w.toServer) })
		both.Go(func() { w.carry(near, far, &w.fromServer) })
		both.Wait()
	}()
	return w
}

// carry copies until from ends, and passes the end on.
func (w *tap) carry(to, from net.Conn, kept *[]byte) {
	defer to.(*net.TCPConn).CloseWrite()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		*kept = append(*kept, buf[:n]...)
		w.mu.Unlock()
		if _, bad := to.Write(buf[:n]); err != nil || bad != nil {
			return
		}
	}
}

// A witness is in front of a gateway's BOSH and notes how requests end.
type witness struct {
	gateway string

	mu      sync.Mutex
	change  sync.Cond
	open    []string // bodies of requests without an answer
	most    int      // of them at once, since one was held
	asked   int
	answers []string // bodies
	faults  []string // other ends than an answer with status 200
}

func newWitness(gateway string) *witness {
	w := &witness{gateway: "http://" + gateway}
	w.change.L = &w.mu
	return w
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		w.end("", "", err)
		return
	}
	w.begin(string(asked))
	answer, err := http.Post(w.gateway+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(asked))
	if err != nil {
		w.end(string(asked), "", err)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(answer.Status))
	}
	rw.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	rw.WriteHeader(answer.StatusCode)
	rw.Write(body)
	w.end(string(asked), string(body), err)
}

func (w *witness) begin(asked string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.open = append(w.open, asked)
	w.most = max(w.most, len(w.open))
	w.change.Broadcast()
}

func (w *witness) end(asked, answer string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.open, asked); i >= 0 {
		w.open = slices.Delete(w.open, i, i+1)
	}
	if err != nil {
		w.faults = append(w.faults, err.Error())
	} else {
		w.answers = append(w.answers, answer)
	}
	w.change.Broadcast()
}

// idle are requests that nobody has to answer soon.
var idle = regexp.MustCompile(`^<body [^<>]*(/>|></body>)$`)

// awaitHeld waits until one request is open, and held.
func (w *witness) awaitHeld(t *testing.T) {
	t.Helper()
	late := false
	defer time.AfterFunc(patience, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		late = true
		w.change.Broadcast()
	}).Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.open) != 1 || !idle.MatchString(w.open[0]) {
		if late {
			t.Fatalf("no request is held: %q", w.open)
		}
		w.change.Wait()
	}
	w.most = 1
}

// TestLogout looks at the end of a session from both sides: the server's
// stream is closed, not broken off, so that no session stays behind that could
// be resumed; and no request is left without an answer.
func TestLogout(t *testing.T) {
	for n, test := range []struct {
		name     string
		command  []string
		overBOSH bool
		held     bool // a request, when the client leaves; stanza's acks go to and fro
	}{
		{"strophe.js over BOSH", javaScript(t, "strophe.mjs", "bosh"), true, true},
		{"stanza over BOSH", javaScript(t, "stanza.mjs", "bosh"), true, false},
		{"strophe.js over WebSocket", javaScript(t, "strophe.mjs", "websocket"), false, false},
		{"stanza over WebSocket", javaScript(t, "stanza.mjs", "websocket"), false, false},
		{"@xmpp client over WebSocket", javaScript(t, "xmpp-client.mjs"), false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newTap(t, shared.addr)
			gateway := startGateway(t, server.addr)
			var seen *witness
			var front *httptest.Server
			if test.overBOSH {
				seen = newWitness(gateway)
				front = httptest.NewServer(seen)
				defer front.Close()
				gateway = front.Listener.Addr().String()
			}
			n := 131 + n
			c := start(t, gateway, n, user(n), test.command...)
			at := c.login(ours.contacts)
			c.send(at, "to myself")
			c.wantMessage("to myself")
			if test.held {
				seen.awaitHeld(t)
			}
			c.logout()

			select {
			case <-server.ended:
			case <-time.After(patience):
				t.Fatal("the server's stream is still open")
			}
			for side, said := range map[string][]byte{"the gateway": server.toServer, "the server": server.fromServer} {
				if !bytes.HasSuffix(said, []byte("</stream:stream>")) {
					t.Errorf("%s ended with %q", side, said[max(0, len(said)-200):])
				}
			}
			if !test.overBOSH {
				return
			}
			front.Close() // waits for the requests that are open
			if len(seen.faults) > 0 || len(seen.answers) != seen.asked {
				t.Errorf("%d requests, %d answers, faults: %q", seen.asked, len(seen.answers), seen.faults)
			}
			if test.held && seen.most != 2 {
				t.Errorf("%d requests were open at once, want the one that is held and the one that ends the session", seen.most)
			}
			if !slices.ContainsFunc(seen.answers, func(body string) bool {
				return strings.Contains(body, `type='terminate'`) && !strings.Contains(body, "condition=")
			}) {
				t.Errorf("no answer says that the session ended: %q", seen.answers[max(0, len(seen.answers)-2):])
			}
		})
	}
}
