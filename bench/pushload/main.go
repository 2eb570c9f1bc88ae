//go:build linux

// Command pushload is the clients of push servers for benchmarks, in one
// thread: subscribers over long-poll, server-sent events, WebSocket or BOSH,
// and who publishes to them. It prints a line when it begins to measure, then
// what they took of the processes that it is told to watch, as JSON. Each subscriber checks that it gets every message
// once.
//
//	pushload -dialect mochibosh-ws -addr 127.0.0.1:8888 -subscribers 1000 -watch server=4711 deliver
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

// A dialect is how to subscribe, and how to publish.
type dialect struct {
	client      func(*subscriber, *server) client
	publication func(topic string, message []byte) (path string, body []byte)
}

var dialects = map[string]dialect{
	// Who only publishes.
	"mochibosh-http":  {publication: publishJSON},
	"plain-http":      {publication: publishPlain},
	"centrifuge-http": {publication: publishPlain},
	"socketio-http":   {publication: publishPlain},
	"bare-http":       {publication: func(_ string, message []byte) (string, []byte) { return "/", message }},

	"mochibosh-lp":   {func(s *subscriber, srv *server) client { return &pushPoll{push{s: s, srv: srv}} }, publishJSON},
	"mochibosh-sse":  {func(s *subscriber, srv *server) client { return &pushStream{push: push{s: s, srv: srv}} }, publishJSON},
	"mochibosh-ws":   {func(s *subscriber, srv *server) client { return &pushSocket{push: push{s: s, srv: srv}} }, publishJSON},
	"mochibosh-bosh": {func(s *subscriber, srv *server) client { return &boshClient{s: s, conn: exchangeFor(s, srv)} }, publishJSON},
	"plain-lp":       {func(s *subscriber, srv *server) client { return &plainPoll{s: s, conn: exchangeFor(s, srv)} }, publishPlain},
	"plain-sse":      {func(s *subscriber, srv *server) client { return &plainStream{s: s, srv: srv} }, publishPlain},
	"plain-ws":       {func(s *subscriber, srv *server) client { return &plainSocket{s: s, srv: srv} }, publishPlain},
	"centrifuge-sse": {func(s *subscriber, srv *server) client { return &centrifugeStream{s: s, srv: srv} }, publishPlain},
	"centrifuge-ws":  {func(s *subscriber, srv *server) client { return &centrifugeSocket{s: s, srv: srv} }, publishPlain},
	"socketio-lp":    {func(s *subscriber, srv *server) client { return &ioPoll{s: s, conn: exchangeFor(s, srv)} }, publishPlain},
	"socketio-ws":    {func(s *subscriber, srv *server) client { return &ioSocket{s: s, srv: srv} }, publishPlain},
}

// exchangeFor is for clients that need no other connection.
func exchangeFor(s *subscriber, srv *server) *exchange {
	return &exchange{server: srv, onFail: s.fail}
}

func publishJSON(topic string, message []byte) (string, []byte) {
	return "/api/publish", fmt.Appendf(nil, `{"topic":%q,"data":"%s"}`, topic, message)
}

func publishPlain(topic string, message []byte) (string, []byte) {
	return "/pub?id=" + topic, message
}

func main() {
	b := &bench{}
	name := flag.String("dialect", "", "protocol and carrier")
	addr := flag.String("addr", "", "host:port of the server")
	flag.IntVar(&b.subscribers, "subscribers", 1000, "how many there are")
	flag.IntVar(&b.topics, "topics", 1, "how many topics they share")
	flag.Float64Var(&b.rate, "rate", 10, "messages a second, over all topics")
	flag.IntVar(&b.hold, "hold", 30, "seconds that a poll may be held")
	flag.DurationVar(&b.warmup, "warmup", time.Second, "before something is measured")
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "how long is measured")
	flag.Func("watch", "name=pid of a server whose CPU and memory count, those of its children too; repeats", func(s string) error {
		server, err := usage.Parse(s)
		b.watched = append(b.watched, server)
		return err
	})
	flag.Parse()
	var ok bool
	if b.dialect, ok = dialects[*name]; !ok {
		fatalf("no dialect %q", *name)
	}
	to, err := net.ResolveTCPAddr("tcp4", *addr)
	if err != nil {
		fatalf("%v", err)
	}
	loop, err := epoll.New()
	if err != nil {
		fatalf("%v", err)
	}
	b.server = &server{loop: loop, addr: to}
	b.posts, b.publish = newPosts(b.server, connections), newPosts(b.server, connections)

	var result any
	switch flag.Arg(0) {
	case "idle":
		result, err = b.idle()
	case "deliver":
		result, err = b.deliver()
	case "requests":
		result, err = b.requests()
	default:
		fatalf("say what to do: idle, deliver or requests")
	}
	if err != nil {
		fatalf("%v", err)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

// connections is how many publish, and how many carry acknowledgements.
const connections = 16

func fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "pushload: "+format+"\n", args...)
	os.Exit(1)
}
