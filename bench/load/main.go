//go:build linux

// Command load is a client of XMPP servers for benchmarks: many sessions over
// BOSH, WebSocket or TCP, in one thread. It logs users u0, u1, … in, either to
// leave them idle or to have each send messages to itself, and prints what
// that took of the processes it is told to watch, as JSON.
//
//	load -carrier bosh -addr 127.0.0.1:8888 -path /http-bind -sessions 200 -watch gateway=4711 trips
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/usage"
)

// A target is a server, and how to speak to it.
type target struct {
	carrier  string
	path     string
	domain   string
	wait     int  // of bosh, in seconds
	requests *int // of HTTP, counted
}

var carriers = map[string]func(*epoll.Loop, *net.TCPAddr, target, *session) (carrier, error){
	"bosh": dialBOSH, "ws": dialWS, "tcp": dialTCP, "http": dialEcho,
}

func main() {
	b := &bench{target: target{requests: new(int)}}
	flag.StringVar(&b.target.carrier, "carrier", "tcp", "bosh, ws, tcp, or http: an echo of requests like those of bosh")
	addr := flag.String("addr", "", "host:port of the server")
	flag.StringVar(&b.target.path, "path", "/", "path of the URL")
	flag.StringVar(&b.target.domain, "domain", "im.example", "XMPP domain")
	flag.IntVar(&b.target.wait, "wait", 60, "seconds that the server may hold a request of bosh")
	flag.IntVar(&b.sessions, "sessions", 200, "how many log in")
	flag.IntVar(&b.first, "first", 0, "number of the first user")
	flag.IntVar(&b.inFlight, "in-flight", 1, "messages of a session under way in the closed loop")
	flag.Float64Var(&b.rate, "rate", 500, "messages a second of all sessions in the open loop")
	flag.DurationVar(&b.warmup, "warmup", time.Second, "how long the loop runs before it is measured, and idle sessions settle")
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "how long is measured")
	flag.Func("watch", "name=pid of a process whose CPU and memory count; repeats", func(s string) error {
		server, err := usage.Parse(s)
		b.servers = append(b.servers, server)
		return err
	})
	flag.Parse()
	b.addr = must(net.ResolveTCPAddr("tcp4", *addr))
	if b.dial = carriers[b.target.carrier]; b.dial == nil {
		fatal(fmt.Errorf("no carrier %q", b.target.carrier))
	}
	b.loop = must(epoll.New())
	var result any
	switch flag.Arg(0) {
	case "idle":
		result = b.idle()
	case "trips":
		result = b.trips()
	default:
		fatal(fmt.Errorf("say what to do: idle or trips"))
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

// must returns the value; without one there is nothing to measure.
func must[T any](value T, err error) T {
	if err != nil {
		fatal(err)
	}
	return value
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}
