package bosh_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// A line is one connection on which requests are pipelined (RFC 9112 §9.3.2).
type line struct {
	w       *world
	conn    net.Conn
	writes  chan string
	answers chan *answer
}

func (w *world) line() *line {
	l := &line{w: w, conn: w.dial(), writes: make(chan string, 100), answers: make(chan *answer, 100)}
	go func() {
		for text := range l.writes {
			if _, err := io.WriteString(l.conn, text); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(l.answers)
		in := bufio.NewReader(l.conn)
		for {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				return
			}
			data, err := io.ReadAll(resp.Body)
			a := &answer{status: resp.StatusCode, header: resp.Header, xml: string(data), err: err, after: time.Since(w.start)}
			a.attrs, a.payloads = w.parse(data)
			l.answers <- a
		}
	}()
	w.t.Cleanup(func() { close(l.writes); l.conn.Close() })
	return l
}

// write sends the segments, one after the other.
func (l *line) write(segments ...string) {
	for _, s := range segments {
		l.writes <- s
	}
}

// answered returns the answers that are there by now.
func (l *line) answered() (all []*answer) {
	synctest.Wait()
	for {
		select {
		case a, ok := <-l.answers:
			if !ok {
				return all
			}
			all = append(all, a)
		default:
			return all
		}
	}
}

func rawPost(xml string) string {
	return fmt.Sprintf("POST /http-bind HTTP/1.1\r\nHost: bosh.test\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(xml), xml)
}

func rawChunks(xml string) string {
	return fmt.Sprintf("POST /http-bind HTTP/1.1\r\nHost: bosh.test\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(xml), xml)
}

// cutEvery cuts text into segments of n bytes.
func cutEvery(n int, text string) (segments []string) {
	for part := range slices.Chunk([]byte(text), n) {
		segments = append(segments, string(part))
	}
	return segments
}

func TestPipelining(t *testing.T) {
	ways := []struct {
		name string
		cut  func(one, two string) []string
	}{
		{"in one segment", func(one, two string) []string { return []string{one + two} }},
		{"in a segment each", func(one, two string) []string { return []string{one, two} }},
		{"byte by byte", func(one, two string) []string { return cutEvery(1, one+two) }},
		{"the first with a byte of the second", func(one, two string) []string { return []string{one + two[:1], two[1:]} }},
		{"the second's body by itself", func(one, two string) []string { return []string{one + two[:len(two)-20], two[len(two)-20:]} }},
		{"the first's body with the second", func(one, two string) []string { return []string{one[:len(one)-20], one[len(one)-20:] + two} }},
	}
	for _, way := range ways {
		t.Run("B-18.1 H-13 T-35 two requests, "+way.name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("")
			l := w.line()
			l.write(way.cut(rawPost(c.at(1, "", payload(1))), rawPost(c.at(2, "", payload(2))))...)
			got := l.answered()
			if len(got) != 1 || got[0].xml != empty || got[0].after != 0 {
				t.Fatalf("got %+v, want the first answered at once, and the second held", got)
			}
			w.wantReceived("both", payload(1)+" "+payload(2))
			w.backend.stream().send(payload(3))
			if got = l.answered(); len(got) != 1 || len(got[0].payloads) != 1 {
				t.Errorf("got %+v, want the second answered", got)
			}
		}))
	}

	t.Run("H-13 a request alone is held, also with the empty line that old clients send", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		for n, end := range []string{"", "\r\n"} {
			l := w.line()
			l.write(rawPost(c.at(n+1, "", "")) + end)
			time.Sleep(59 * time.Second)
			if got := l.answered(); len(got) != 0 {
				t.Fatalf("%q: got %+v", end, got[0])
			}
			time.Sleep(time.Second)
			if got := l.answered(); len(got) != 1 || got[0].xml != empty {
				t.Fatalf("%q: got %+v", end, got)
			}
		}
	}))

	t.Run("H-13 three deep, and then more", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		l := w.line()
		l.write(rawPost(c.at(1, "", payload(1))) + rawPost(c.at(2, "", payload(2))) + rawPost(c.at(3, "", payload(3))))
		if got := l.answered(); len(got) != 2 {
			t.Fatalf("%d answered, want 2", len(got))
		}
		l.write(rawPost(c.at(4, "", payload(4))))
		if got := l.answered(); len(got) != 1 {
			t.Fatalf("%d answered, want 1", len(got))
		}
		w.wantReceived("all", strings.Join([]string{payload(1), payload(2), payload(3), payload(4)}, " "))
	}))

	t.Run("H-13 two held, on connections of their own: the older is answered first", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{Hold: 2}})
		c := w.create("wait='60' hold='2'")
		one := c.begin(c.at(1, "", ""))
		l := w.line()
		l.write(rawPost(c.at(2, "", "")))
		w.wantHeld("1", one)
		l.write(rawPost(c.at(3, "", ""))[:5])
		if got := l.answered(); len(got) != 1 || got[0].xml != empty {
			t.Errorf("got %+v", got)
		}
		w.wantXML("1", one.answer(), empty)
		w.wantAfter("1", one.answer(), 0)
	}))

	t.Run("B-14.11 a repeat behind the held request", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		l := w.line()
		l.write(rawPost(c.at(1, "", payload(1))) + rawPost(c.at(1, "", payload(1))))
		got := l.answered()
		if len(got) != 2 || got[0].xml != empty || got[1].xml != empty {
			t.Errorf("got %+v, want the same answer twice", got)
		}
		w.wantReceived("once", payload(1))
	}))

	t.Run("H-13 H-05 in chunks, a segment each", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		l := w.line()
		for n := 1; n <= 3; n++ {
			l.write(rawChunks(c.at(n, "", payload(n))))
			if got := l.answered(); n > 1 && len(got) != 1 {
				t.Fatalf("%d: %d answered, want 1", n, len(got))
			}
		}
	}))

	t.Run("H-13 another kind of request behind the held one", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		l := w.line()
		l.write(rawPost(c.at(1, "", "")) + "OPTIONS / HTTP/1.1\r\nHost: bosh.test\r\n\r\n" + rawPost(c.at(2, "", "")))
		if got := l.answered(); len(got) != 2 || got[0].xml != empty || got[1].status != 204 {
			t.Errorf("got %+v", got)
		}
	}))

	t.Run("H-18 T-36 the connection is closed behind pipelined requests", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		l := w.line()
		l.write(rawPost(c.at(1, "", "")) + rawPost(c.at(2, "", "")))
		if got := l.answered(); len(got) != 1 {
			t.Fatalf("%d answered, want 1", len(got))
		}
		l.conn.Close()
		synctest.Wait()
		w.backend.stream().send(payload(1))
		if a := c.post(c.at(3, "", "")); len(a.payloads) != 1 {
			t.Errorf("got %q, want what was not spent on the dead connection", a.xml)
		}
	}))

	t.Run("B-04.1 plain net/http sees the second when the first is answered", bubble(func(t *testing.T) {
		w := newWorld(t, settings{plain: true})
		c := w.create("")
		l := w.line()
		l.write(rawPost(c.at(1, "", payload(1))) + rawPost(c.at(2, "", payload(2))))
		w.wantReceived("the first", payload(1))
		time.Sleep(time.Minute)
		if got := l.answered(); len(got) != 1 || got[0].after != time.Minute {
			t.Errorf("got %+v", got)
		}
		w.wantReceived("both", payload(1)+" "+payload(2))
	}))
}

// A whole session over one connection, with as many requests on the way as the
// window allows, cut anywhere: answers come in the order of requests, and
// nothing is lost either way.
func TestPipelinedSession(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), bubble(func(t *testing.T) {
			const requests = 60
			dice := rand.New(rand.NewPCG(seed, 3))
			w := newWorld(t, settings{})
			l := w.line()
			l.write(rawPost(body(fmt.Sprintf("rid='%d' to='be.test' ver='1.6' wait='60' hold='1'", first), "")))
			created := l.answered()
			if len(created) != 1 || created[0].attrs["sid"] == "" {
				t.Fatalf("not created: %+v", created)
			}
			c := &client{world: w, sid: created[0].attrs["sid"]}

			var want, got, received []string
			next, answered := 1, 0
			for answered < requests-1 { // the last is held
				var text strings.Builder
				for next <= requests && next-answered <= 2 && (text.Len() == 0 || dice.IntN(2) == 0) {
					p := payload(next)
					if dice.IntN(5) == 0 {
						p = fmt.Sprintf("<n xmlns='urn:test' n='%d'>%s</n>", next, strings.Repeat("x", dice.IntN(9000)))
					}
					received = append(received, p)
					text.WriteString(rawPost(c.at(next, "", p)))
					next++
				}
				if text.Len() > 0 {
					l.write(cutEvery(1+dice.IntN(text.Len()), text.String())...)
				}
				if dice.IntN(3) == 0 {
					p := payload(len(want))
					want = append(want, p)
					w.backend.stream().send(p)
				}
				for _, a := range l.answered() {
					answered++
					got = append(got, a.payloads...)
					if a.status != 200 || a.condition() != "" || a.after != 0 {
						t.Fatalf("request %d: %+v", answered, a)
					}
				}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("the client got\n%q\nwant\n%q", got, want)
			}
			w.wantReceived("all", strings.Join(received, " "))
		}))
	}
}
