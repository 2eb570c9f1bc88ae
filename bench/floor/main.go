// Command floor is servers that do nothing but the input and output of a push
// server, for benchmarks to compare with: no sessions, no acknowledgements, no
// limits, no errors handled. It prints its address.
//
//	floor -kind nethttp   long-poll at /lp, server-sent events at /sse: net/http with a handler that blocks
//	floor -kind gorilla   WebSocket at /ws: gorilla/websocket with PreparedMessage
//	floor -kind raw       all three on plain sockets, with one write call for each message
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"time"
)

func main() {
	kind := flag.String("kind", "nethttp", "nethttp, gorilla or raw")
	hold := flag.Duration("hold", 30*time.Second, "of a poll")
	flag.Parse()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr())
	ts := &topics{hold: *hold, byName: map[string]*topic{}}
	serve, ok := map[string]func(net.Listener, *topics) error{"nethttp": serveHTTP, "gorilla": serveGorilla, "raw": serveRaw}[*kind]
	if !ok {
		log.Fatalf("no kind %q", *kind)
	}
	log.Fatal(serve(ln, ts))
}
