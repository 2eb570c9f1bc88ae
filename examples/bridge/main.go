// Command bridge joins topics of the event bus with XMPP: what is written in a page
// arrives at users of an XMPP server, and what they write arrives in the page.
//
//	go run ./examples/bridge -xmpp 127.0.0.1:5347 -domain bridge.example.org -secret SECRET
//
// and open the address that it prints. To the XMPP server it is an external component
// (XEP-0114), which Prosody has with
//
//	Component "bridge.example.org"
//	  component_secret = "SECRET"
//
// The topic news is news@bridge.example.org there. Whoever writes to that address is
// from then on told what comes in the topic, until they write /leave.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gorilla/mux"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/web"
	"github.com/mochibosh/mochibosh/websocket"
)

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8890", "`address` for pages; port 0 takes a free one")
	flag.StringVar(&o.server, "xmpp", "127.0.0.1:5347", "`address` where the XMPP server takes components, without TLS: on this machine")
	flag.StringVar(&o.domain, "domain", "bridge.localhost", "domain of the component")
	flag.StringVar(&o.secret, "secret", "", "what it shows the server; better in the variable BRIDGE_SECRET")
	flag.Parse()
	if o.secret == "" {
		o.secret = os.Getenv("BRIDGE_SECRET")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bridge:", err)
		os.Exit(1)
	}
}

type options struct{ listen, server, domain, secret string }

// run serves until the context is done. It prints the address once it listens.
func run(ctx context.Context, o options, out io.Writer) error {
	engine := bus.NewMemory(nil)
	events := bus.New(&bus.Options{Engine: engine})
	manager := transport.NewManager(&transport.Options{Backend: events})
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(manager), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	bridged := make(chan struct{})
	go func() {
		defer close(bridged)
		newBridge(events, engine, o.domain, slog.Default()).run(ctx, o.server, o.secret)
	}()
	fmt.Fprintf(out, "a bridge from topics to %s: http://%s\n", o.domain, l.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	<-bridged
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return errors.Join(manager.Shutdown(ctx), server.Shutdown(ctx))
}

// handler serves the page, the client, and the carriers.
func handler(m *transport.Manager) http.Handler {
	r := mux.NewRouter()
	r.Handle("/push", longpoll.NewHandler(m, nil))
	r.Handle("/push/sse", sse.NewHandler(m, nil))
	r.Handle("/push/ws", websocket.NewHandler(m, nil))
	r.PathPrefix("/mochi/").Handler(http.StripPrefix("/mochi/", web.Handler(web.Client)))
	r.Path("/").Handler(http.RedirectHandler("/page/", http.StatusFound))
	r.PathPrefix("/page/").Handler(http.FileServerFS(page))
	return r
}
