package xmpp

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

const (
	clientOpen  = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example' from='a@im.example' xml:lang='de' version='1.0'/>`
	clientClose = `<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>`

	clearHeader = `<?xml version='1.0'?><stream:stream to='im.example' version='1.0' xml:lang='de' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
	tlsHeader   = `<?xml version='1.0'?><stream:stream from='a@im.example' to='im.example' version='1.0' xml:lang='de' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

	serverHeader = `<?xml version='1.0'?><stream:stream from='im.example' id='1' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x'>`
	openReply    = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='im.example' id='1' version='1.0' xml:lang='en'/>`

	features      = `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`
	featuresReply = `<stream:features xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`

	starttls     = `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	proceed      = `<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`
	withSTARTTLS = `<stream:features>` + starttls + `</stream:features>`
)

// world is a relay between a client and a server that a test plays.
type world struct {
	t      *testing.T
	relay  *Relay
	st     *transport.Stream
	s      *transport.Session
	cursor uint64
	frames []string
	end    *transport.Termination
	server net.Conn
	dialed chan net.Conn
	to     []string     // where the relay connected to
	away   func() error // why nobody answers now; nil: somebody does
}

// newWorld has Options.Dial, unless set, lead to the test.
func newWorld(t *testing.T, opts *Options) *world {
	t.Helper()
	w := &world{t: t, dialed: make(chan net.Conn, 1)}
	if opts.Dial == nil {
		opts.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
			w.to = append(w.to, addr)
			if w.away != nil && w.away() != nil {
				return nil, w.away()
			}
			ours, theirs := net.Pipe()
			w.dialed <- theirs
			return ours, nil
		}
	}
	w.relay = newRelay(t, opts)
	m := transport.NewManager(&transport.Options{Backend: w.relay})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if w.server != nil {
			go io.Copy(io.Discard, w.server)
			defer w.server.Close()
		}
		if err := m.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	var err error
	if w.s, err = m.Create(t.Context(), transport.Params{Wait: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if w.st, err = w.s.Open(t.Context(), "one", "im.example"); err != nil {
		t.Fatal(err)
	}
	return w
}

func newRelay(t *testing.T, opts *Options) *Relay {
	t.Helper()
	r, err := NewRelay(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func noTLS() *Options {
	return &Options{Routes: map[string]Route{"im.example": {Addr: "server:5222", TLS: NoTLS}}}
}

// say has the client send a frame.
func (w *world) say(frame string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if _, err := w.s.Push(ctx, 0, []transport.Frame{{Stream: "one", Data: []byte(frame)}}); err != nil {
		w.t.Fatalf("push: %v", err)
	}
}

// next is the next frame that the client gets; "" at the end.
func (w *world) next() string {
	w.t.Helper()
	for len(w.frames) == 0 {
		if w.end != nil {
			return ""
		}
		r, err := w.s.Pull(w.t.Context(), transport.Pull{After: w.cursor, Wait: time.Minute})
		if err != nil {
			w.t.Fatalf("pull: %v", err)
		}
		if len(r.Frames) == 0 && r.End == nil {
			w.t.Fatal("the client got nothing")
		}
		for _, f := range r.Frames {
			w.frames = append(w.frames, string(f.Data))
		}
		w.cursor, w.end = max(w.cursor, r.Last()), r.End
	}
	frame := w.frames[0]
	w.frames = w.frames[1:]
	return frame
}

func (w *world) wantFrame(rule, want string) {
	w.t.Helper()
	if got := w.next(); got != want {
		w.t.Fatalf("%s:\n got %s (%v)\nwant %s", rule, got, w.end, want)
	}
}

func (w *world) wantEnd(rule string, condition transport.Condition, text string) {
	w.t.Helper()
	if got := w.next(); got != "" || w.end == nil {
		w.t.Fatalf("%s: got %s, want the end", rule, got)
	}
	if w.end.Condition != condition || !strings.Contains(w.end.Text, text) {
		w.t.Fatalf("%s: ended with %v, want %s with %q", rule, w.end, condition, text)
	}
}

// accept takes the relay's connection.
func (w *world) accept() {
	w.t.Helper()
	select {
	case w.server = <-w.dialed:
		w.server.SetDeadline(time.Now().Add(10 * time.Minute))
	case <-time.After(time.Minute):
		w.t.Fatal("nobody connected")
	}
}

// wantBytes reads exactly what the server is to get.
func (w *world) wantBytes(rule, want string) {
	w.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(w.server, got)
	if err != nil || string(got) != want {
		w.t.Fatalf("%s (%v):\n got %s\nwant %s", rule, err, bytes.TrimSpace(got[:n]), want)
	}
}

// write has the server say something.
func (w *world) write(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.server, text); err != nil {
		w.t.Fatalf("the relay does not read: %v", err)
	}
}

// begin opens the stream in clear.
func (w *world) begin() {
	w.t.Helper()
	w.say(clientOpen)
	w.accept()
	w.wantBytes("R-04.1 to R-04.10: the header", clearHeader)
	w.write(serverHeader + features)
	w.wantFrame("W-03.15: the header becomes <open/>", openReply)
	w.wantFrame("W-03.13: features by themselves", featuresReply)
}
