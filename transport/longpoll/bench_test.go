package longpoll_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
)

// BenchmarkExchange compares an exchange through the whole stack (a POST with
// a message that the backend echoes, held until the echo is there) with a bare
// net/http handler that echoes a body of the same size. Both are called over
// loopback by the same client, which writes and reads plain bytes, so that it
// adds little of its own. cpu-µs/op is of the whole process.
func BenchmarkExchange(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		c := dialBench(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		}))
		measureCPU(b, func(i int) {
			c.post([]byte(exchange("5c0f9a34-7f5d-4bb1-93a7-0c7f8f3ad3f1", "NJWVBWJ7XYPJZASRPYWMOZEAEA", i+1)))
		})
	})
	b.Run("longpoll", func(b *testing.B) {
		m := transport.NewManager(&transport.Options{Backend: pushtest.Echo})
		c := dialBench(b, longpoll.NewHandler(m, &push.Options{}))
		created := string(c.post([]byte("{}")))
		session, key := member(created, "session"), member(created, "key")
		measureCPU(b, func(i int) {
			if answer := c.post([]byte(exchange(session, key, i+1))); !bytes.Contains(answer, []byte("messages")) {
				b.Fatalf("answered %s", answer)
			}
		})
	})
}

// exchange polls for the echo of the message that it brings.
func exchange(session, key string, n int) string {
	return fmt.Sprintf(`{"session":%q,"key":%q,"attach":%d,"ack":%d,"first":%d,"messages":["%0100d"]}`, session, key, n, n-1, n, n)
}

func member(object, name string) string {
	_, rest, _ := strings.Cut(object, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func measureCPU(b *testing.B, f func(i int)) {
	before := cpuMicros()
	i := 0
	for b.Loop() {
		f(i)
		i++
	}
	b.ReportMetric(float64(cpuMicros()-before)/float64(b.N), "cpu-µs/op")
}

func cpuMicros() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano()/1000 + u.Stime.Nano()/1000
}

// client posts over one connection.
type client struct {
	b    *testing.B
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dialBench(b *testing.B, h http.Handler) *client {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(); server.Close() })
	return &client{b: b, conn: conn, in: bufio.NewReader(conn)}
}

func (c *client) post(body []byte) []byte {
	c.out = fmt.Appendf(c.out[:0], "POST /push HTTP/1.1\r\nHost: push.test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := c.conn.Write(c.out); err != nil {
		c.b.Fatal(err)
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			c.b.Fatal(err)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	c.body = append(c.body[:0], make([]byte, length)...)
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		c.b.Fatal(err)
	}
	return c.body
}
