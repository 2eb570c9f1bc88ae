// Command centrifuge is a server on the Centrifuge library for benchmarks: a
// client says in its name which channel it wants, and POST /pub publishes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	hold := flag.Duration("hold", 30*time.Second, "between two pings")
	flag.Parse()
	log.Fatal(serve(*hold))
}

func serve(hold time.Duration) error {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{},
			Subscriptions: map[string]centrifuge.SubscribeOptions{e.Name: {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return err
	}
	pings := centrifuge.PingPongConfig{PingInterval: hold, PongTimeout: hold / 2}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		PingPongConfig: pings, UseWriteBufferPool: true, ReadBufferSize: 512,
	}))
	pings.PongTimeout = 0 // an event stream has no way for a pong
	http.Handle("/connection/sse", centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{PingPongConfig: pings}))
	http.HandleFunc("POST /pub", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = node.Publish(r.FormValue("id"), fmt.Appendf(nil, "%q", text))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return http.Serve(ln, nil)
}
