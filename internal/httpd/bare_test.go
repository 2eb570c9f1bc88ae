//go:build linux

package httpd_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A bare client is a descriptor, and the texts that it sends: it allocates
// nothing once it waits for messages, so that what is measured is the server's.
type bare struct {
	t    testing.TB
	fd   int
	buf  [2048]byte
	text []byte // of the last request

	session, key, sid string
	acked, asked      int
}

// holdBare joins, and leaves a request held.
func holdBare(t testing.TB, carrier, addr string) *bare {
	c := &bare{t: t, fd: dialBare(t, addr), acked: 1}
	if carrier == "bosh" {
		created := c.post("/bosh", "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='bus' ver='1.6' wait='60' hold='1'/>")
		c.sid, c.asked = sidOf.FindStringSubmatch(created)[1], 2
		c.post("/bosh", "<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='"+c.sid+"'><json xmlns='urn:xmpp:json:0'>{\"op\":\"subscribe\",\"topic\":\"t\"}</json></body>")
		c.again(carrier)
		return c
	}
	created := c.post("/push", "{}")
	c.session, c.key = memberOf(created, "session"), memberOf(created, "key")
	c.post("/push", c.object(`"first":1,"messages":[{"op":"subscribe","topic":"t"}]`))
	switch carrier {
	case "longpoll":
		c.post("/push", c.object(`"attach":1`)) // that it is subscribed
		c.asked = 1
		c.again(carrier)
	case "sse":
		ticket := memberOf(c.post("/push/sse", c.object(`"attach":1`)), "ticket")
		c.send("GET /push/sse?ticket=" + ticket + " HTTP/1.1\r\nHost: a\r\n\r\n")
		c.answer()
	case "websocket":
		c.send("GET /push/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: push.v1\r\n\r\n")
		c.answer()
		claim := c.object(`"attach":1`)
		c.send(string([]byte{0x81, 0x80 | 126, byte(len(claim) >> 8), byte(len(claim)), 0, 0, 0, 0}) + claim)
		c.read()
	}
	return c
}

func dialBare(t testing.TB, addr string) (fd int) {
	var port int
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 10})
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func (c *bare) close() { syscall.Close(c.fd) }

func (c *bare) object(members string) string {
	return fmt.Sprintf(`{"session":%q,"key":%q,%s}`, c.session, c.key, members)
}

func (c *bare) send(text string) {
	c.text = append(c.text[:0], text...)
	c.sendText()
}

func (c *bare) sendText() {
	if n, err := syscall.Write(c.fd, c.text); n != len(c.text) || err != nil {
		c.t.Fatal(n, err)
	}
}

// read returns what comes next; it is overwritten by what comes then.
func (c *bare) read() []byte {
	n, err := syscall.Read(c.fd, c.buf[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(c.fd, c.buf[:])
	}
	if n <= 0 || err != nil {
		c.t.Fatal(n, err)
	}
	return c.buf[:n]
}

func (c *bare) answer() string {
	answer := string(c.read())
	if !strings.HasPrefix(answer, "HTTP/1.1 2") && !strings.HasPrefix(answer, "HTTP/1.1 101") {
		c.t.Fatalf("%q", answer)
	}
	return answer
}

func (c *bare) post(path, body string) string {
	c.request(path, body)
	return c.answer()
}

func (c *bare) request(path string, body ...string) {
	length := 0
	for _, b := range body {
		length += len(b)
	}
	c.text = append(append(append(c.text[:0], "POST "...), path...), " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\nAccept-Encoding: gzip, deflate, br\r\nContent-Length: "...)
	c.text = append(strconv.AppendInt(c.text, int64(length), 10), "\r\n\r\n"...)
	for _, b := range body {
		c.text = append(c.text, b...)
	}
	c.sendText()
}

// again asks for the next message, where that is to be done.
func (c *bare) again(carrier string) {
	var asked, acked [20]byte
	c.asked++
	a, k := strconv.AppendInt(asked[:0], int64(c.asked), 10), strconv.AppendInt(acked[:0], int64(c.acked), 10)
	switch carrier {
	case "bosh":
		c.request("/bosh", "<body xmlns='http://jabber.org/protocol/httpbind' rid='", string(a), "' sid='", c.sid, "'/>")
	case "longpoll":
		c.request("/push", `{"session":"`, c.session, `","key":"`, c.key, `","attach":`, string(a), `,"ack":`, string(k), "}")
	}
}

func memberOf(object, name string) string {
	_, rest, _ := strings.Cut(object, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
