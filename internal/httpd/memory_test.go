//go:build linux && !race

package httpd_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A client that waits costs its session, a record for its connection, and no
// goroutine. Clients are bare descriptors here, so that all that is counted is
// the server's; what its heap needs for itself comes on top.
func TestWaitingClientsAreCheap(t *testing.T) {
	const clients = 1000
	for carrier, budget := range map[string]int{"longpoll": 2500, "bosh": 3500, "sse": 2500, "websocket": 4500} {
		t.Run(carrier, func(t *testing.T) {
			h := newHouse(nil)
			addr := serveHouse(t, "httpd", h)
			defer h.manager.Shutdown(context.Background())
			held := make([]int, clients)
			join := func(i int) { held[i] = holdBare(t, carrier, addr) }
			join(0) // buffers are there now
			before, goroutines := heap(), runtime.NumGoroutine()
			for i := range held[1:] {
				join(i + 1)
			}
			defer func() {
				for _, fd := range held {
					syscall.Close(fd)
				}
			}()
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			if n := runtime.NumGoroutine() - goroutines; n > 0 {
				t.Errorf("%d goroutines", n)
			}
			each := int(heap()-before) / (clients - 1)
			t.Logf("%d bytes for each", each)
			if each > budget {
				t.Errorf("want no more than %d", budget)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// holdBare joins, and leaves a request held. It returns the descriptor.
func holdBare(t testing.TB, carrier, addr string) int {
	var port int
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	ask := func(text string, answered bool) string {
		syscall.Write(fd, []byte(text))
		if !answered {
			return ""
		}
		n, err := syscall.Read(fd, buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 2") && !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 101") {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		return string(buf[:n])
	}
	post := func(path, body string, answered bool) string {
		return ask(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\nAccept-Encoding: gzip, deflate, br\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body), answered)
	}
	if carrier == "bosh" {
		created := post("/bosh", "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='elders' ver='1.6' wait='60' hold='1'/>", true)
		sid := sidOf.FindStringSubmatch(created)[1]
		post("/bosh", fmt.Sprintf("<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='%s'/>", sid), false)
		return fd
	}
	created := post("/push", "{}", true)
	session, key := member1(created, "session"), member1(created, "key")
	object := func(members string) string {
		return fmt.Sprintf(`{"session":%q,"key":%q,%s}`, session, key, members)
	}
	post("/push", object(`"first":1,"messages":[{"op":"subscribe","topic":"t"}]`), true)
	switch carrier {
	case "longpoll":
		post("/push", object(`"attach":1`), true) // that it is subscribed
		post("/push", object(`"attach":2,"ack":1`), false)
	case "sse":
		ticket := member1(post("/push/sse", object(`"attach":1`), true), "ticket")
		ask("GET /push/sse?ticket="+ticket+" HTTP/1.1\r\nHost: a\r\n\r\n", true)
	case "websocket":
		ask("GET /push/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: push.v1\r\n\r\n", true)
		claim := object(`"attach":1`)
		syscall.Write(fd, append([]byte{0x81, 0x80 | 126, byte(len(claim) >> 8), byte(len(claim)), 0, 0, 0, 0}, claim...))
		syscall.Read(fd, buf)
	}
	return fd
}

func member1(object, name string) string {
	_, rest, _ := strings.Cut(object, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
