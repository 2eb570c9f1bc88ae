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
						held[i] = holdBare(b, carrier.name, addr).fd
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
