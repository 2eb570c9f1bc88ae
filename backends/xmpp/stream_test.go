package xmpp

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func inBubble(t *testing.T, opts *Options, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, opts)) })
}

func TestElementsTravelAsTheyAre(t *testing.T) {
	t.Attr("requirements", "R-04.1 R-04.2 R-04.3 R-04.4 R-04.5 R-04.6 R-04.9 R-11.4 W-03.9 W-03.13 X-L.1 T-29 T-31 X-K.1")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		const odd = `<message  to="b"  xmlns='jabber:client'><body>a &amp; &#x41;</body ></message>`
		w.say(odd)
		w.wantBytes("client XML is not written again", odd)
		w.write(" \n <message><x:y/></message>\n<iq xml:lang='fr'/>")
		w.wantFrame("R-04.9, T-29, T-31", `<message xmlns='jabber:client' xmlns:x='urn:x' xml:lang='en'><x:y/></message>`)
		w.wantFrame("its own language stays", `<iq xmlns='jabber:client' xml:lang='fr'/>`)
	})
}

func TestRestartOnTheSameConnection(t *testing.T) {
	t.Attr("requirements", "R-03.1 X-04.3 R-04.15 R-04.16 R-06.2 W-03.27 X-05.5 X-05.8 X-05.9 X-05.11")
	for _, pieces := range []int{1, 7, 1000} {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			w.write(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
			w.wantFrame("success", `<success xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
			w.say(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='elsewhere'/>`)
			w.wantBytes("R-04.15, X-05.5, X-05.11: a new header, no end tag", clearHeader)
			for text := "<iq/> " + strings.Replace(serverHeader, "id='1'", "id='2'", 1) + features; text != ""; {
				n := min(pieces, len(text))
				w.write(text[:n])
				text = text[n:]
			}
			w.wantFrame("what was under way", `<iq xmlns='jabber:client' xml:lang='en'/>`)
			if len(w.to) != 1 {
				t.Errorf("connected to %q", w.to)
			}
			w.wantFrame("R-04.16: the new id", strings.Replace(openReply, "id='1'", "id='2'", 1))
			w.wantFrame("features", featuresReply)
		})
	}
}

func TestServerEnds(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		condition  transport.Condition
		answer     string
	}{
		{"A-13: cleanly", endTag, transport.Normal, endTag},
		{"R-04.23: with a stream error", `<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag, transport.BackendError, endTag},
		{"R-04.22: with XML that is none", `<a></b>`, transport.Unreachable, `<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag},
		{"R-11.3: with what is not UTF-8", "<a>\xff</a>", transport.Unreachable, `<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag},
		{"R-11.1: with a comment", `<!-- -->`, transport.Unreachable, `<stream:error><restricted-xml xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag},
		{"R-13.3: with an element above the limit", `<a>` + strings.Repeat("x", DefaultMaxStanza), transport.Unreachable, `<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>` + endTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.begin()
				go io.WriteString(w.server, c.sent)
				w.wantBytes("the answer", c.answer)
				w.wantEnd("the client", c.condition, "")
				if c.condition == transport.BackendError {
					const want = `<stream:error xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`
					if p := w.end.Payload; len(p) != 1 || string(p[0].Data) != want || p[0].Stream != "one" {
						t.Errorf("X-06.1: payload %q", p)
					}
				}
				w.server.Close()
			})
		})
	}
}

func TestConnectionLost(t *testing.T) {
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		w.server.Close()
		w.wantEnd("without an end tag", transport.Unreachable, texts[Stream])
	})
}

func TestClientCloses(t *testing.T) {
	t.Attr("requirements", "R-04.18 B-13.11")
	for _, answers := range []bool{true, false} {
		inBubble(t, noTLS(), func(w *world) {
			w.begin()
			w.say(clientClose)
			w.wantBytes("R-04.18: the end tag", endTag)
			w.write("<presence/>")
			w.wantFrame("R-04.18: still delivered", `<presence xmlns='jabber:client' xml:lang='en'/>`)
			start := time.Now()
			if answers {
				w.write(endTag)
			}
			w.wantEnd("both ended", transport.Normal, "")
			if took := time.Since(start); answers != (took == 0) {
				t.Errorf("took %v", took)
			}
		})
	}
}

// XEP-0198 §7 "a client that vanished can come back, one that ended cannot".
func TestSessionEnds(t *testing.T) {
	const enabled = `<enabled xmlns='urn:xmpp:sm:3' id='i' resume='1'/>`
	for _, c := range []struct {
		name      string
		resumable bool
		end       transport.Termination
		want      string
	}{
		{"normally", true, transport.Termination{Condition: transport.Normal, ByClient: true}, endTag},
		{"W-03.24: by silence", false, transport.Termination{Condition: transport.Inactive}, endTag},
		{"M-07.1: by silence, resumable", true, transport.Termination{Condition: transport.Inactive}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, noTLS(), func(w *world) {
				w.begin()
				if c.resumable {
					w.write(enabled)
					w.next()
				}
				w.s.Terminate(&c.end)
				got, _ := io.ReadAll(w.server)
				if string(got) != c.want {
					t.Errorf("the server got %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestSlowClientStopsTheServer(t *testing.T) {
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		stanza := `<message><body>` + strings.Repeat("x", 10_000) + `</body></message>`
		const many = 300 // three times the budget of the session
		sent := make(chan int)
		go func() {
			for n := range many {
				w.server.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := io.WriteString(w.server, stanza); err != nil {
					sent <- n
					return
				}
			}
			sent <- many
		}()
		if n := <-sent; n > 120 {
			t.Errorf("%d stanzas of 10 KB read for a client that reads none", n)
		}
	})
}

func TestBadClients(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		condition   transport.Condition
	}{
		{"R-11.2: no XML", `<a></b>`, transport.BadRequest},
		{"W-03.12: two elements", `<a/><b/>`, transport.BadRequest},
		{"R-11.1: a comment", `<a><!-- --></a>`, transport.BadRequest},
		{"W-03.7: a stream header", `<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>`, transport.BadRequest},
		{"R-11.3: a byte order mark", "\ufeff<a/>", transport.BadRequest},
		{"R-11.3: what is not UTF-8", "<a>\xff</a>", transport.BadRequest},
		{"R-13.3: too big", `<a>` + strings.Repeat("x", MinMaxStanza) + `</a>`, transport.TooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := noTLS()
			opts.MaxStanza = 1
			inBubble(t, opts, func(w *world) {
				w.begin()
				w.say(c.frame)
				w.wantBytes("nothing of it", endTag)
				w.wantEnd("refused", c.condition, "")
			})
		})
	}
	t.Run("R-13.2: ten thousand bytes are never too big", func(t *testing.T) {
		opts := noTLS()
		opts.MaxStanza = 1
		inBubble(t, opts, func(w *world) {
			w.begin()
			stanza := "<a>" + strings.Repeat("x", 10_000-len("<a></a>")) + "</a>"
			w.say(stanza)
			w.wantBytes("to the server", stanza)
			w.write(stanza)
			if got := w.next(); len(got) < 10_000 {
				t.Errorf("%d bytes to the client", len(got))
			}
		})
	})
	t.Run("W-03.14: a stanza first", func(t *testing.T) {
		inBubble(t, noTLS(), func(w *world) {
			w.say("<iq/>")
			w.wantEnd("refused", transport.BadRequest, "<open/>")
		})
	})
}

func TestTLSAndCompressionAreNotTheClients(t *testing.T) {
	t.Attr("requirements", "B-19.1 X-02.6 X-02.8 X-04.8 T-41")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		w.say(starttls)
		w.say(`<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>`)
		w.wantFrame("X-04.8", `<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure>`)
		w.say(`<active xmlns='urn:xmpp:csi:0'/>`)
		w.wantBytes("X-02.6, X-02.8, T-41", `<active xmlns='urn:xmpp:csi:0'/>`)
	})
}

func TestKeepAliveOnlyAfterNegotiation(t *testing.T) {
	t.Attr("requirements", "R-04.20 R-05.4 R-06.3 X-K.2")
	opts := noTLS()
	opts.KeepAlive = time.Minute
	inBubble(t, opts, func(w *world) {
		w.begin()
		time.Sleep(210 * time.Second)
		w.write("<iq/>")
		w.next()
		start := time.Now()
		w.wantBytes("R-04.20", "  ")
		if took := time.Since(start); took != 90*time.Second {
			t.Errorf("two spaces in %v", took)
		}
	})
}

func TestNoKeepAliveWhileTLSIsNegotiated(t *testing.T) {
	t.Attr("requirements", "R-05.4 R-05.3")
	opts := &Options{Routes: map[string]Route{"im.example": {Addr: "server:1"}}, KeepAlive: time.Second}
	inBubble(t, opts, func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("the header", clearHeader)
		w.write(serverHeader + withSTARTTLS)
		w.wantBytes("no space behind it", starttls)
		w.server.SetReadDeadline(time.Now().Add(DefaultStreamTimeout / 2))
		if n, err := w.server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestWhereToResumeIsTheClientsToKnow(t *testing.T) {
	t.Attr("requirements", "M-03.3 M-04.1")
	inBubble(t, noTLS(), func(w *world) {
		w.begin()
		const enabled = `<enabled xmlns='urn:xmpp:sm:3' id='i' location='[2001:db8::1]:5222' resume='true' xml:lang='en'/>`
		w.write(enabled)
		w.wantFrame("untouched", enabled)
		w.say("<r xmlns='urn:xmpp:sm:3'/>")
		w.wantBytes("nothing added", "<r xmlns='urn:xmpp:sm:3'/>")
	})
}
