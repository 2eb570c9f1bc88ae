//go:build linux

package httpd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/httpd"
)

// The benchmarks have their server in a process of its own, whose memory and
// time are all that counts. Clients and server are on the same machine.

const serveEnv = "HTTPD_BENCH_SERVE" // the kind of server that this process is

func TestMain(m *testing.M) {
	if kind := os.Getenv(serveEnv); kind != "" {
		serveBench(kind)
		return
	}
	os.Exit(m.Run())
}

type usage struct {
	KB  int     // resident
	CPU float64 // seconds
}

func serveBench(kind string) {
	h := newHouse(nil)
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("/debug/", http.DefaultServeMux)
	f := &floor{}
	mux.HandleFunc("/floor", f.join)
	mux.HandleFunc("/fanout", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.RawQuery)
		h.publish(n, strings.Repeat("x", 90))
		f.publish(n, strings.Repeat("x", 90))
	})
	mux.HandleFunc("/usage", func(w http.ResponseWriter, r *http.Request) {
		debug.FreeOSMemory()
		var u usage
		status, _ := os.ReadFile("/proc/self/status")
		_, rss, _ := strings.Cut(string(status), "VmRSS:")
		fmt.Sscan(rss, &u.KB)
		var t syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &t)
		u.CPU = float64(t.Utime.Nano()+t.Stime.Nano()) / 1e9
		json.NewEncoder(w).Encode(u)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	go func() { // ends with its parent
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if kind == "httpd" {
		panic((&httpd.Server{Options: httpd.Options{Handler: mux}}).Serve(ln))
	}
	panic(http.Serve(ln, mux))
}

func startBench(b *testing.B, kind string) (addr string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+kind)
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stop.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func ask(b *testing.B, addr, path string) (u usage) {
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if path == "/usage" {
		err = json.NewDecoder(resp.Body).Decode(&u)
	}
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// Memory for each of 5,000 clients that wait, session and subscription
// included.
func BenchmarkWaiting(b *testing.B) {
	const clients = 5000
	for _, carrier := range carriers {
		for _, kind := range kinds {
			b.Run(carrier.name+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					addr := startBench(b, kind)
					before := ask(b, addr, "/usage")
					held := make([]int, clients)
					for i := range held {
						held[i] = holdBare(b, carrier.name, addr)
					}
					time.Sleep(500 * time.Millisecond)
					after := ask(b, addr, "/usage")
					for _, fd := range held {
						syscall.Close(fd)
					}
					b.ReportMetric(float64(after.KB-before.KB)/clients, "KB/client")
					b.ReportMetric((after.CPU-before.CPU)/clients*1e6, "cpu-µs/client")
				}
			})
		}
	}
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
	session, key := memberOf(created, "session"), memberOf(created, "key")
	object := func(members string) string {
		return fmt.Sprintf(`{"session":%q,"key":%q,%s}`, session, key, members)
	}
	post("/push", object(`"first":1,"messages":[{"op":"subscribe","topic":"t"}]`), true)
	switch carrier {
	case "longpoll":
		post("/push", object(`"attach":1`), true) // that it is subscribed
		post("/push", object(`"attach":2,"ack":1`), false)
	case "sse":
		ticket := memberOf(post("/push/sse", object(`"attach":1`), true), "ticket")
		ask("GET /push/sse?ticket="+ticket+" HTTP/1.1\r\nHost: a\r\n\r\n", true)
	case "websocket":
		ask("GET /push/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: push.v1\r\n\r\n", true)
		claim := object(`"attach":1`)
		syscall.Write(fd, append([]byte{0x81, 0x80 | 126, byte(len(claim) >> 8), byte(len(claim)), 0, 0, 0, 0}, claim...))
		syscall.Read(fd, buf)
	}
	return fd
}

func memberOf(object, name string) string {
	_, rest, _ := strings.Cut(object, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
