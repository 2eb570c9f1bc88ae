package xmpp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/pires/go-proxyproto"
)

// watched counts what the relay's Trace is told.
type watched struct {
	mu    sync.Mutex
	calls []string
}

func (w *watched) trace() Trace {
	note := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, fmt.Sprintf(format, args...))
	}
	return Trace{
		Opened:      func(domain string, took time.Duration) { note("opened %s", domain) },
		Closed:      func(domain string) { note("closed %s", domain) },
		Fault:       func(err *Error) { note("%s %s", err.Stage, err.Domain) },
		ServerError: func(domain, condition string) { note("%s says %s", domain, condition) },
	}
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.calls, ", ")
}

func TestServerThatRestartsGetsTime(t *testing.T) {
	t.Attr("requirements", "T-40")
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, c := range []struct {
		name     string
		retryFor time.Duration
		until    time.Duration // the server is back
		dial     error
		want     transport.Condition
	}{
		{"it is back in time", 0, 5 * time.Second, refused, ""},
		{"it stays away", 0, time.Minute, refused, transport.Unreachable},
		{"no time is wanted", -1, time.Second, refused, transport.Unreachable},
		{"the DNS fails for a while", 0, 5 * time.Second, &net.DNSError{IsTemporary: true}, ""},
		{"the name does not exist", 0, time.Nanosecond, &net.DNSError{IsNotFound: true}, transport.Unreachable},
	} {
		t.Run("T-40 "+c.name, func(t *testing.T) {
			opts := noTLS()
			opts.RetryFor = c.retryFor
			var told watched
			opts.Trace = told.trace()
			var log bytes.Buffer
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			inBubble(t, opts, func(w *world) {
				start := time.Now()
				w.away = func() error {
					if time.Since(start) < c.until {
						return c.dial
					}
					return nil
				}
				w.say(clientOpen)
				if c.want != "" {
					w.wantEnd("in the end", c.want, "")
					if took := time.Since(start); took > DefaultRetryFor {
						t.Errorf("after %v", took)
					}
					if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "domain=im.example") {
						t.Errorf("logged %s", log.String())
					}
					return
				}
				w.accept()
				w.wantBytes("the header", clearHeader)
				w.write(serverHeader + features)
				w.wantFrame("the client waits", openReply)
				if got := told.String(); !strings.HasSuffix(got, "opened im.example") || !strings.Contains(got, " im.example, ") {
					t.Errorf("told %s", got)
				}
			})
		})
	}
}

func TestServerGoesAwayWhileOpening(t *testing.T) {
	t.Attr("requirements", "T-40")
	for name, act := range map[string]func(w *world){
		"without a word": func(w *world) {},
		"with its end":   func(w *world) { w.write(serverHeader + endTag) },
		"with system-shutdown": func(w *world) {
			w.write(serverHeader + `<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`)
			w.wantBytes("R-04.23", endTag)
		},
	} {
		t.Run("T-40 "+name, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.say(clientOpen)
				w.accept()
				w.wantBytes("the header", clearHeader)
				act(w)
				w.server.Close()
				w.accept()
				w.wantBytes("again", clearHeader)
				w.write(serverHeader + features)
				w.wantFrame("the client noticed nothing", openReply)
			})
		})
	}
}

func seeOther(host string) string {
	return `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>` + host + `</see-other-host></stream:error>`
}

func TestServerSendsElsewhere(t *testing.T) {
	t.Attr("requirements", "R-04.26")
	for host, want := range map[string]string{"other:5269": "other:5269", "[2001:db8::1]:99": "[2001:db8::1]:99", "192.0.2.1": "192.0.2.1:5222", "[2001:db8::1]": "[2001:db8::1]:5222"} {
		t.Run("R-04.26 to "+host, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.say(clientOpen)
				w.accept()
				w.wantBytes("the header", clearHeader)
				w.write(serverHeader + seeOther(host))
				w.wantBytes("R-04.23", endTag)
				w.accept()
				if w.to[1] != want {
					t.Errorf("not to %s", want)
				}
				w.wantBytes("R-04.26 the same to", clearHeader)
				w.write(serverHeader + features)
				w.wantFrame("the client noticed nothing", openReply)
			})
		})
	}
	t.Run("R-04.26 not in circles", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.say(clientOpen)
			for range maxHops + 1 {
				w.accept()
				w.wantBytes("the header", clearHeader)
				w.write(serverHeader + seeOther("other:1"))
				w.wantBytes("R-04.23", endTag)
			}
			w.wantEnd("the last one's word", transport.BackendError, "")
			if len(w.to) != maxHops+1 {
				t.Errorf("connected to %q", w.to)
			}
		})
	})
	t.Run("R-04.26 later it is the client's", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			w.write(seeOther("other:1"))
			w.wantBytes("R-04.23", endTag)
			w.wantEnd("passed on", transport.BackendError, "")
		})
	})
}

func TestClientsAddressIsAnnounced(t *testing.T) {
	t.Attr("requirements", "T-27")
	known := &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 4711}
	local := &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}
	for _, c := range []struct {
		version int
		client  net.Addr
		want    proxyproto.ProtocolVersionAndCommand
	}{{1, known, proxyproto.PROXY}, {2, known, proxyproto.PROXY}, {1, nil, proxyproto.LOCAL}, {2, nil, proxyproto.LOCAL}} {
		t.Run(fmt.Sprintf("T-27 version %d, %v", c.version, c.client), func(t *testing.T) {
			opts := &Options{
				Routes: map[string]Route{"im.example": {Addr: "server:1", TLS: NoTLS, Proxy: c.version}},
				ClientAddr: func(ctx context.Context) (a, b net.Addr) {
					if c.client == nil {
						return nil, nil
					}
					return c.client, local
				},
			}
			inBubble(t, opts, func(w *world) {
				w.say(clientOpen)
				w.accept()
				in := bufio.NewReader(w.server)
				h, err := proxyproto.Read(in)
				if err != nil || int(h.Version) != c.version || h.Command != c.want {
					t.Fatalf("header %+v, %v", h, err)
				}
				if c.client != nil && h.SourceAddr.String() != c.client.String() || c.client == nil && h.TransportProtocol != proxyproto.UNSPEC {
					t.Errorf("from %v", h.SourceAddr)
				}
				first := make([]byte, 5)
				if in.Read(first); string(first) != "<?xml" {
					t.Errorf("then %s", first)
				}
			})
		})
	}
}

func TestFaultsAreTold(t *testing.T) {
	t.Attr("requirements", "R-04.22 R-04.23")
	for want, act := range map[string]func(w *world){
		"opened im.example, stream im.example, closed im.example": func(w *world) { w.server.Close() },
		"opened im.example, im.example says conflict, closed im.example": func(w *world) {
			w.write(`<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag)
		},
		"opened im.example, im.example says undefined-condition, closed im.example": func(w *world) {
			w.write(`<stream:error><odd xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag)
		},
		"opened im.example, closed im.example": func(w *world) { w.write(endTag) },
	} {
		t.Run(want, func(t *testing.T) {
			var told watched
			opts := noTLS()
			opts.Trace = told.trace()
			inBubble(t, opts, func(w *world) {
				w.begin()
				act(w)
				if w.next() != "" {
					t.Error("it goes on")
				}
			})
			if got := told.String(); got != want {
				t.Errorf("told %s", got)
			}
		})
	}
}
