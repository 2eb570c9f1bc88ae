package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"encoding/json"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
)

func main() {
	if os.Args[1] == "client" {
		client()
		return
	}
	b := bus.New(nil)
	m := transport.NewManager(&transport.Options{Backend: b})
	h := longpoll.NewHandler(m, nil)
	mux := http.NewServeMux()
	mux.Handle("/push", h)
	mux.HandleFunc("/pub", func(w http.ResponseWriter, r *http.Request) {
		b.Publish(context.Background(), "t", json.RawMessage(`"`+strings.Repeat("x", 100)+`"`), nil)
	})
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/mem", func(w http.ResponseWriter, r *http.Request) {
		debug.FreeOSMemory()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		data, _ := os.ReadFile("/proc/self/status")
		rss := ""
		for _, l := range strings.Split(string(data), "\n") {
			if strings.HasPrefix(l, "VmRSS") {
				rss = l
			}
		}
		var ru syscall.Rusage
		syscall.Getrusage(0, &ru)
		fmt.Fprintf(w, "%s heap=%d stack=%d goroutines=%d cpu=%.3f\n", rss, ms.HeapAlloc, ms.StackInuse, runtime.NumGoroutine(), float64(ru.Utime.Nano()+ru.Stime.Nano())/1e9)
	})
	if os.Getenv("HEAP") != "" {
		runtime.MemProfileRate = 512
	}
	mux.HandleFunc("/heap", func(w http.ResponseWriter, r *http.Request) { runtime.GC(); pprof.Handler("heap").ServeHTTP(w, r) })
	mux.HandleFunc("/cpu", pprof.Profile)
	ln, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		panic(err)
	}
	go http.ListenAndServe("127.0.0.1:17778", mux)
	if os.Args[1] == "ours" {
		panic((&httpd.Server{Handler: mux}).Serve(ln))
	}
	panic(http.Serve(ln, mux))
}

// client: N parked polls, then rounds of publishing.
func client() {
	addr, n, rounds := os.Args[2], atoi(os.Args[3]), atoi(os.Args[4])
	get := func(p string) string {
		r, err := http.Get("http://" + addr + p)
		if err != nil {
			panic(err)
		}
		defer r.Body.Close()
		d, _ := io.ReadAll(r.Body)
		return string(d)
	}
	fmt.Println("before:", get("/mem"))
	var ready sync.WaitGroup
	ready.Add(n)
	stop := make(chan struct{})
	var got [2]sync.WaitGroup
	for k := range got {
		got[k].Add(n)
	}
	_ = stop
	sem := make(chan struct{}, 50)
	msg := make(chan int, 1000000)
	for i := 0; i < n; i++ {
		sem <- struct{}{}
		go func() {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				panic(err)
			}
			br := bufio.NewReaderSize(nc, 1024)
			do := func(body string) []byte {
				fmt.Fprintf(nc, "POST /push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					panic(err)
				}
				d, _ := io.ReadAll(resp.Body)
				return d
			}
			d := do(`{}`)
			var o struct{ Session, Key string }
			if json.Unmarshal(d, &o) != nil || o.Session == "" {
				panic(string(d))
			}
			do(fmt.Sprintf(`{"session":%q,"key":%q,"first":1,"messages":[{"op":"subscribe","topic":"t"}]}`, o.Session, o.Key))
			<-sem
			ready.Done()
			ack, attach := 0, 0
			for {
				attach++
				d := do(fmt.Sprintf(`{"session":%q,"key":%q,"attach":%d,"ack":%d}`, o.Session, o.Key, attach, ack))
				var a struct {
					First    int
					Messages []json.RawMessage
				}
				json.Unmarshal(d, &a)
				for _, mm := range a.Messages {
					if bytes.Contains(mm, []byte("xxx")) {
						msg <- 1
					}
				}
				if a.First > 0 {
					ack = a.First + len(a.Messages) - 1
				}
			}
		}()
	}
	ready.Wait()
	time.Sleep(2 * time.Second)
	fmt.Println("parked:", get("/mem"))
	if f := os.Getenv("HEAP"); f != "" {
		os.WriteFile(f, []byte(get("/heap")), 0o644)
	}
	if f := os.Getenv("CPU"); f != "" {
		go func() { os.WriteFile(f, []byte(get("/cpu?seconds=4")), 0o644) }()
	}
	t0 := time.Now()
	for r := 0; r < rounds; r++ {
		get("/pub")
		for i := 0; i < n; i++ {
			<-msg
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("rounds", rounds, time.Since(t0))
	fmt.Println("after:", get("/mem"))
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }
