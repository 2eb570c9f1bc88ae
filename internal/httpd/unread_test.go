//go:build linux

package httpd_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/park"
)

// A server knows what its clients do not read, and whom to part with.
func TestUnread(t *testing.T) {
	d := open(t, &httpd.Server{})
	answer := func(name string, size int) (*line, *held) {
		l := d.dial(t)
		if err := l.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		l.send(get("/" + name))
		h := <-d.held
		io.WriteString(h, strings.Repeat("x", size))
		h.Flush()
		return l, h
	}
	if got := d.Buffered(); got != 0 {
		t.Fatalf("%d bytes before the first", got)
	}
	small, first := answer("small", 6<<20)
	kept := d.Buffered()
	if kept <= 0 || kept > 6<<20+100 || first.Drained() {
		t.Fatalf("%d bytes are kept, drained %v", kept, first.Drained())
	}
	_, second := answer("large", 10<<20)
	if got := d.Buffered(); got <= 2*kept {
		t.Fatalf("%d bytes are kept, %d before", got, kept)
	}
	freed := d.Shed(1)
	if told := <-second.told; told != "gone" || freed <= kept {
		t.Errorf("the one with most is %s, %d bytes freed", told, freed)
	}
	if got := d.Buffered(); got != kept {
		t.Errorf("%d bytes are kept afterwards, want %d", got, kept)
	}
	small.Close()
	if told := <-first.told; told != "gone" || d.Buffered() != 0 {
		t.Errorf("when the client is %s, %d bytes are kept", told, d.Buffered())
	}
	if freed := d.Shed(1); freed != 0 {
		t.Errorf("%d bytes freed of nothing", freed)
	}
}

// doors lets in two connections at a time, and writes down who comes and goes.
type doors struct {
	mu   sync.Mutex
	in   []string
	left chan string
}

func (d *doors) Enter(remote string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.in) == 2 {
		return false
	}
	d.in = append(d.in, remote)
	return true
}

func (d *doors) Leave(remote string) {
	d.mu.Lock()
	i := slices.Index(d.in, remote)
	d.in = slices.Delete(d.in, i, i+1)
	d.mu.Unlock()
	d.left <- remote
}

func TestLimiter(t *testing.T) {
	limiter := &doors{left: make(chan string, 9)}
	hijack := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/taken" {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))
			c.(park.Conn).OnReadable(func() { c.Close() })
			return
		}
		io.WriteString(w, "hello")
	})
	d := open(t, &httpd.Server{Options: httpd.Options{Handler: hijack, Limiter: limiter}})
	first, taken := d.dial(t), d.dial(t)
	first.send(get("/"))
	first.wantAnswer("hello")
	taken.send(get("/taken"))
	taken.wantAnswer("x")
	d.dial(t).wantEnd()
	for _, l := range []*line{taken, first} {
		l.Close()
		if got := <-limiter.left; got != l.LocalAddr().String() {
			t.Errorf("%s left, want %s", got, l.LocalAddr())
		}
		again := d.dial(t)
		again.send(get("/"))
		again.wantAnswer("hello")
	}
}
