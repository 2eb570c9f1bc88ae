//go:build linux

package httpd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/park"
)

// A desk holds requests until the test answers them.
type desk struct {
	*httpd.Server
	addr   string
	served chan error
	held   chan *held
}

type held struct {
	park.Writer
	request string // its target
	told    chan string
}

// answer writes and ends the answer.
func (h *held) answer(text string) {
	io.WriteString(h, text)
	h.Finish()
}

func (h *held) wantTold(t *testing.T, what string) {
	t.Helper()
	select {
	case got := <-h.told:
		if got != what {
			t.Fatalf("%s was told %q, want %q", h.request, got, what)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s was not told %q", h.request, what)
	}
}

func (h *held) wantNotTold(t *testing.T) {
	t.Helper()
	select {
	case got := <-h.told:
		t.Fatalf("%s was told %q", h.request, got)
	default:
	}
}

func open(t testing.TB, s *httpd.Server) *desk {
	d := &desk{Server: s, served: make(chan error, 1), held: make(chan *held, 10_000)}
	if s.Handler == nil {
		s.Handler = http.HandlerFunc(d.hold)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = ln.Addr().String()
	go func() { d.served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-d.served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

func (d *desk) hold(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	h := &held{Writer: w.(park.Writer), request: r.RequestURI, told: make(chan string, 3)}
	h.Park(park.Events{
		Gone:    func() { h.told <- "gone" },
		Behind:  func() { h.told <- "behind" },
		Drained: func() { h.told <- "drained" },
	})
	d.held <- h
}

// A line is a client's connection.
type line struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func (d *desk) dial(t testing.TB) *line {
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &line{t, c, bufio.NewReader(c)}
}

func (l *line) send(text string) {
	if _, err := io.WriteString(l, text); err != nil {
		l.t.Helper()
		l.t.Error(err)
	}
}

func (l *line) wantAnswer(text string) {
	l.t.Helper()
	resp, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatalf("%v, want %q", err, text)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != text {
		l.t.Fatalf("answered %q, %v, want %q", body, err, text)
	}
}

func (l *line) wantEnd() {
	l.t.Helper()
	if rest, err := io.ReadAll(l.in); len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		l.t.Fatalf("%q, %v, want the end", rest, err)
	}
}

func TestParked(t *testing.T) {
	t.Run("a held request is answered later, and the connection goes on", func(t *testing.T) {
		d := open(t, &httpd.Server{})
		l := d.dial(t)
		for n := range 3 {
			l.send(get(fmt.Sprint("/", n)))
			h := <-d.held
			if want := fmt.Sprint("/", n); h.request != want {
				t.Fatalf("%s, want %s", h.request, want)
			}
			h.answer("yes")
			l.wantAnswer("yes")
			h.Finish() // has no effect
			h.wantNotTold(t)
		}
	})
	t.Run("an answer may come before the handler has returned", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pw := w.(park.Writer)
			pw.Header().Set("X-Early", "1")
			pw.Park(park.Events{})
			pw.Header().Set("X-Late", "1")
			io.WriteString(pw, "at once")
			pw.Finish()
		})}})
		l := d.dial(t)
		for range 3 {
			l.send(get("/") + get("/"))
			l.wantAnswer("at once")
			resp, err := http.ReadResponse(l.in, nil)
			if err != nil || resp.Header.Get("X-Early")+resp.Header.Get("X-Late") != "11" {
				t.Fatal(resp, err)
			}
			io.ReadAll(resp.Body)
		}
	})
	t.Run("what is parked can be taken back", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pw := w.(park.Writer)
			pw.Park(park.Events{})
			pw.Unpark()
			io.WriteString(pw, "refused")
		})}})
		l := d.dial(t)
		l.send(get("/") + get("/"))
		l.wantAnswer("refused")
		l.wantAnswer("refused")
	})
	t.Run("the client goes away", func(t *testing.T) {
		d := open(t, &httpd.Server{})
		l := d.dial(t)
		l.send(get("/"))
		h := <-d.held
		l.Close()
		h.wantTold(t, "gone")
		h.answer("nobody there") // does no harm
		h.wantNotTold(t)
	})
	t.Run("the client goes away before the handler returns", func(t *testing.T) {
		wait := make(chan bool)
		d := &desk{held: make(chan *held, 1)}
		s := &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.hold(w, r)
			<-wait
		})}}
		l := open(t, s).dial(t)
		l.send(get("/"))
		h := <-d.held
		l.Close()
		time.Sleep(10 * time.Millisecond) // it is not told now, whenever that is
		h.wantNotTold(t)
		close(wait)
		h.wantTold(t, "gone")
	})
	for name, between := range map[string]time.Duration{"at once": 0, "later": 20 * time.Millisecond} {
		t.Run("another request behind it, "+name, func(t *testing.T) {
			d := open(t, &httpd.Server{})
			l := d.dial(t)
			if between == 0 {
				l.send(get("/1") + get("/2"))
			} else {
				l.send(get("/1"))
				time.Sleep(between)
				l.send(get("/2"))
			}
			first := <-d.held
			first.wantTold(t, "behind")
			select {
			case h := <-d.held:
				t.Fatalf("%s was begun before the first was answered", h.request)
			default:
			}
			first.answer("1")
			(<-d.held).answer("2")
			l.wantAnswer("1")
			l.wantAnswer("2")
		})
	}
	t.Run("a client that closes its side behind two requests gets both answers", func(t *testing.T) {
		d := open(t, &httpd.Server{})
		l := d.dial(t)
		l.send(get("/1") + get("/2"))
		l.Conn.(*net.TCPConn).CloseWrite()
		h := <-d.held
		h.wantTold(t, "behind")
		h.answer("1")
		l.wantAnswer("1")
		h = <-d.held
		h.wantTold(t, "gone")
	})
	t.Run("a body is taken in first, the rest of one thrown away", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pw := w.(park.Writer)
			pw.Park(park.Events{Behind: func() {
				_, err := r.Body.Read(make([]byte, 1))
				fmt.Fprint(pw, err)
				pw.Finish()
			}})
		})}})
		l := d.dial(t)
		l.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/2"))
		l.wantAnswer(http.ErrBodyReadAfterClose.Error())
	})
	t.Run("a slow reader holds up nobody", func(t *testing.T) {
		d := open(t, &httpd.Server{})
		slow, quick := d.dial(t), d.dial(t)
		slow.send(get("/slow") + get("/next"))
		h := <-d.held
		h.wantTold(t, "behind")
		big := strings.Repeat("0123456789", 2_000_000)
		h.answer(big)
		quick.send(get("/quick"))
		(<-d.held).answer("here")
		quick.wantAnswer("here")
		select {
		case <-d.held:
			t.Fatal("the next request was read before the answer was")
		default:
		}
		slow.wantAnswer(big)
		(<-d.held).answer("done")
		slow.wantAnswer("done")
	})
	t.Run("a stream stalls, and goes on", func(t *testing.T) {
		d := open(t, &httpd.Server{})
		l := d.dial(t)
		l.send(get("/"))
		h := <-d.held
		piece := strings.Repeat("0123456789", 100_000)
		n := 0
		for h.Drained() {
			io.WriteString(h, piece)
			h.Flush()
			n++
		}
		done := make(chan bool)
		go func() {
			l.wantAnswer(strings.Repeat(piece, n) + "end")
			close(done)
		}()
		h.wantTold(t, "drained")
		if !h.Drained() {
			t.Error("not drained")
		}
		h.answer("end")
		<-done
	})
	t.Run("a client that reads nothing is cut off", func(t *testing.T) {
		d := open(t, &httpd.Server{Options: httpd.Options{WriteTimeout: 50 * time.Millisecond}})
		l := d.dial(t)
		l.send(get("/"))
		h := <-d.held
		for h.Drained() {
			io.WriteString(h, strings.Repeat("0123456789", 100_000))
			h.Flush()
		}
		h.wantTold(t, "gone")
	})
	t.Run("HTTP/1.0, and who wants to close", func(t *testing.T) {
		for _, ask := range []string{"GET / HTTP/1.0\r\n\r\n", get("/", "Connection: close")} {
			d := open(t, &httpd.Server{})
			l := d.dial(t)
			l.send(ask)
			(<-d.held).answer("once")
			l.wantAnswer("once")
			l.wantEnd()
		}
	})
}

// Clients ask, pipeline, read slowly and vanish as they like; answers come from
// everywhere. All that stay get the answers to their requests, in order.
func TestParkedAtRandom(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	d := open(t, &httpd.Server{})
	const answerers, clients, requests = 4, 64, 60
	var work, ask sync.WaitGroup
	stop := make(chan bool)
	for i := range answerers {
		work.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case h := <-d.held:
					switch dice.IntN(4) {
					case 0:
						runtime.Gosched()
					case 1:
						select {
						case <-h.told:
						case <-time.After(time.Duration(dice.IntN(2)) * time.Millisecond):
						}
					case 2:
						io.WriteString(h, h.request[:1])
						h.Flush()
						io.WriteString(h, h.request[1:])
						h.Finish()
						continue
					}
					h.answer(h.request)
				case <-stop:
					return
				}
			}
		})
	}
	for i := range clients {
		ask.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), 2))
			l := d.dial(t)
			sent, got := 0, 0
			for got < requests {
				for sent < requests && sent-got < 1+dice.IntN(3) {
					l.send(get(fmt.Sprintf("/%d/%d", i, sent)))
					sent++
				}
				if i%4 == 0 && dice.IntN(20) == 0 {
					l.Close()
					l = d.dial(t)
					got = sent
					continue
				}
				l.wantAnswer(fmt.Sprintf("/%d/%d", i, got))
				got++
			}
			l.Close()
		})
	}
	ask.Wait()
	close(stop)
	work.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines+1 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines+1 {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines are left\n%s", n-goroutines, buf[:runtime.Stack(buf, true)])
	}
}

func TestContext(t *testing.T) {
	ended := make(chan error, 1)
	wait := func(r *http.Request) {
		select {
		case <-r.Context().Done():
			ended <- r.Context().Err()
		case <-time.After(10 * time.Second):
			ended <- nil
		}
	}
	d := open(t, &httpd.Server{Options: httpd.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			wait(r)
		case "/body":
			go io.Copy(io.Discard, r.Body)
			wait(r)
		case "/after":
			go wait(r)
		}
	})}})
	for _, test := range []struct {
		name, ask string
		leave     bool
	}{
		{"the client goes away", get("/wait"), true},
		{"the client goes away behind a body", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", true},
		{"it was answered", get("/after"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := d.dial(t)
			l.send(test.ask)
			if test.leave {
				time.Sleep(10 * time.Millisecond)
				l.Close()
			}
			if err := <-ended; err != context.Canceled {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
