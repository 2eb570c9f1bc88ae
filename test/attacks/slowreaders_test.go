package attacks

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Ten thousand clients that ask for much and read nothing, on all carriers of
// push.v1, do not kill a server with a memory limit: new clients are refused, then
// those who do not read are let go, and who reads is served all the time.
func TestSlowReaders(t *testing.T) {
	const (
		clients = 10_000
		topics  = 250
		limit   = 128 << 20
	)
	s := serveWith(t, []string{"GOMEMLIMIT=" + strconv.Itoa(limit)},
		"--max-sessions-per-ip=0", "--session-rate=0", "--write-timeout=10m", "--push-inactivity=5m")
	start := time.Now()

	var next atomic.Int64
	var all sync.WaitGroup
	conns := make([]net.Conn, clients)
	for range 8 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < clients; i = next.Add(1) - 1 {
				c, err := hang(s, int(i)%3, "t"+strconv.Itoa(int(i)%topics))
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				conns[i] = c
			}
		})
	}
	all.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	if t.Failed() {
		return
	}
	t.Logf("%d clients after %v, %d MB of memory", clients, time.Since(start), s.memory("VmRSS")>>20)

	bystander := newReader(t, s, "bystander")
	data := strings.Repeat("x", 32<<10)
	refused, rounds := 0, 0
	for ; rounds < 40 && refused < 2; rounds++ {
		for i := range topics {
			s.publish("t"+strconv.Itoa(i), data)
			if i%50 == 0 {
				bystander.wantMessage(fmt.Sprintf("%d-%d", rounds, i))
			}
		}
		if a := s.call("POST", "/push", "{}"); a.StatusCode == http.StatusServiceUnavailable {
			refused++
			want(t, "a new client", a.body, "short of memory")
			want(t, "a new client", a.Header.Get("Retry-After"), "5")
			want(t, "a new client of BOSH", s.call("POST", "/http-bind", body("rid='1' to='bus'", "")).Status, "503")
		}
	}
	if refused == 0 {
		t.Errorf("nobody was refused in %d rounds", rounds)
	}
	metrics := s.call("GET", "/metrics", "").body
	kept := regexp.MustCompile(`mochibosh_kept_bytes \d\S+`).FindString(metrics)
	overflowed := regexp.MustCompile(`ended_total\{condition="overflow",protocol="push.v1"\} (\S+)`).FindString(metrics)
	closed := regexp.MustCompile(`httpd: \d+ connections closed`).FindAllString(s.log(), -1)
	peak := s.memory("VmHWM")
	t.Logf("%d rounds, %s; %s; connections were closed %d times; at most %d MB of memory; %v", rounds, kept, overflowed, len(closed), peak>>20, time.Since(start))
	if peak > 2*limit {
		t.Errorf("it took %d MB of memory, with a limit of %d", peak>>20, limit>>20)
	}
	if overflowed == "" && len(closed) == 0 {
		t.Error("nobody had to go")
	}

	bystander.wantMessage("the last")
}

// hang makes a session that is subscribed to a topic, on one of the carriers,
// and reads no more.
func hang(s *server, carrier int, topic string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	c, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(c, 1024)
	subscribe := fmt.Sprintf(`"first":1,"messages":[{"op":"subscribe","topic":%q}]`, topic)
	if carrier == 0 {
		fmt.Fprint(c, "GET /push/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: push.v1\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("%v %v", resp, err)
		}
		_, err = c.Write(masked("{" + subscribe + "}"))
		return c, err
	}
	o, err := exchange(c, in, "/push", "{"+subscribe+"}")
	if err != nil {
		return nil, err
	}
	claim := fmt.Sprintf(`{"session":%q,"key":%q,"attach":1,"ack":0}`, o.Session, o.Key)
	if carrier == 1 {
		if o, err = exchange(c, in, "/push/sse", claim); err != nil {
			return nil, err
		}
		_, err = fmt.Fprintf(c, "GET /push/sse?ticket=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", o.Ticket)
		return c, err
	}
	_, err = fmt.Fprintf(c, "POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(claim), claim)
	return c, err
}

// exchange posts an object, and reads the answer.
func exchange(c net.Conn, in *bufio.Reader, path, text string) (o object, err error) {
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(text), text)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return o, err
	}
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s", resp.Status, data)
	}
	return o, err
}

// masked is a text message of a client.
func masked(text string) []byte {
	frame := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(frame[2:], uint16(len(text)))
	return append(frame, text...) // with a mask of zeros
}

func (s *server) publish(topic, data string) {
	s.t.Helper()
	a := s.call("POST", "/api/publish", fmt.Sprintf(`{"topic":%q,"data":%q}`, topic, data))
	if a.StatusCode != http.StatusOK {
		s.t.Fatalf("publishing: %s %s", a.Status, a.body)
	}
}

// memory returns a figure of the server's process.
func (s *server) memory(name string) int64 {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(data)
	if m == nil {
		s.t.Fatalf("no %s in %s", name, data)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

// A reader is a client that reads what it asked for.
type reader struct {
	s      *server
	topic  string
	conn   net.Conn
	in     *bufio.Reader
	o      object
	attach int
	ack    int
}

func newReader(t *testing.T, s *server, topic string) *reader {
	t.Helper()
	c := s.dial()
	c.SetDeadline(time.Time{})
	r := &reader{s: s, topic: topic, conn: c, in: bufio.NewReader(c)}
	var err error
	if r.o, err = exchange(c, r.in, "/push", fmt.Sprintf(`{"first":1,"messages":[{"op":"subscribe","topic":%q}]}`, topic)); err != nil {
		t.Fatal(err)
	}
	r.poll("subscribed")
	return r
}

// wantMessage publishes something, and waits until it is told so.
func (r *reader) wantMessage(text string) {
	r.s.t.Helper()
	r.s.publish(r.topic, text)
	r.poll(text)
}

func (r *reader) poll(text string) {
	r.s.t.Helper()
	r.conn.SetDeadline(time.Now().Add(patience))
	r.attach++
	o, err := exchange(r.conn, r.in, "/push", fmt.Sprintf(`{"session":%q,"key":%q,"attach":%d,"ack":%d}`, r.o.Session, r.o.Key, r.attach, r.ack))
	if err != nil || len(o.Messages) != 1 || !strings.Contains(string(o.Messages[0]), text) {
		r.s.t.Fatalf("who reads was told %v %s, not %q", err, o.Messages, text)
	}
	r.ack++
}
