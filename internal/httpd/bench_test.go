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
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	mux.HandleFunc("/publish", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.RawQuery)
		h.publish(n, strings.Repeat("x", 90))
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
		panic((&httpd.Server{Handler: mux}).Serve(ln))
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

// Time for each delivery to one of 1,000 clients, who ask again where they
// have to.
func BenchmarkFanOut(b *testing.B) {
	const clients = 1000
	for _, carrier := range carriers {
		for _, kind := range kinds {
			b.Run(carrier.name+"/"+kind, func(b *testing.B) {
				addr := startBench(b, kind)
				var ready sync.WaitGroup
				ready.Add(clients)
				got := make(chan int, clients)
				few := make(chan bool, 50)
				t := &until{TB: b}
				for range clients {
					go func() {
						few <- true
						c := carrier.join(t, addr)
						c.hold()
						if carrier.name == "sse" || carrier.name == "websocket" {
							c.next()
						}
						<-few
						ready.Done()
						for {
							if numbers := numberOf.FindAllSubmatch(c.next(), -1); len(numbers) > 0 {
								c.hold()
								got <- len(numbers)
							} else {
								c.hold()
							}
						}
					}()
				}
				ready.Wait()
				time.Sleep(200 * time.Millisecond)
				before := ask(b, addr, "/usage")
				if out := os.Getenv("HTTPD_BENCH_PROFILE"); out != "" {
					go profile(addr, out+"."+carrier.name+"."+strings.ReplaceAll(kind, "/", ""))
				}
				n := 0
				for b.Loop() {
					n++
					ask(b, addr, fmt.Sprint("/publish?", n))
					for sum := 0; sum < clients; {
						sum += <-got
					}
					time.Sleep(20 * time.Millisecond)
				}
				after := ask(b, addr, "/usage")
				t.over.Store(true)
				b.ReportMetric((after.CPU-before.CPU)/float64(n*clients)*1e6, "cpu-µs/delivery")
			})
		}
	}
}

// until fails a test until that is over; later, the server is gone.
type until struct {
	testing.TB
	over atomic.Bool
}

func (u *until) Fatal(args ...any) {
	if u.over.Load() {
		runtime.Goexit()
	}
	u.TB.Fatal(args...)
}

func (u *until) Error(args ...any) { u.Fatal(args...) }

func profile(addr, out string) {
	resp, err := http.Get("http://" + addr + "/debug/pprof/profile?seconds=3")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	f, _ := os.Create(out)
	io.Copy(f, resp.Body)
	f.Close()
}
