// Command multiserver shows one BOSH session that talks to two XMPP servers
// and to the event bus at the same time, as three streams.
//
//	go run ./examples/multiserver
//
// Then open the address that it prints. The two servers are small ones inside
// of the program, which let in anybody and send everything back. Real ones
// take their place with, for example,
//
//	go run ./examples/multiserver -first im.example=127.0.0.1:5222 -second chat.example=127.0.0.1:5223
//
// which are talked to without TLS: they should be on this machine.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8889", "`address` to listen on; port 0 takes a free one")
	first := flag.String("first", "", "first XMPP server, as `domain=host:port`; empty: a small one of our own")
	second := flag.String("second", "", "second XMPP server, likewise")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, []string{*first, *second}, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "multiserver:", err)
		os.Exit(1)
	}
}

// run serves until the context is done. It prints the address once it listens.
func run(ctx context.Context, address string, servers []string, out io.Writer) error {
	own := []string{"tea.localhost", "cake.localhost"}
	var domains []domain
	for i, server := range servers {
		d := domain{Name: own[i], Echoes: true}
		if server != "" {
			name, addr, ok := strings.Cut(server, "=")
			if _, _, err := net.SplitHostPort(addr); !ok || name == "" || err != nil {
				return fmt.Errorf("%q is not domain=host:port", server)
			}
			d = domain{Name: name, addr: addr}
		} else {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			go serveEcho(l, d.Name)
			d.addr = l.Addr().String()
		}
		domains = append(domains, d)
	}
	if domains[0].Name == domains[1].Name {
		return errors.New("the two servers need two domains")
	}

	manager, err := newManager(domains)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newHandler(manager, domains), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	fmt.Fprintf(out, "three streams in one session: http://%s\n", l.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return shutdown(manager, server)
}

func shutdown(manager *transport.Manager, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	// First the sessions, so that every open request has its answer.
	return errors.Join(manager.Shutdown(ctx), server.Shutdown(ctx))
}

// A domain is one of the two XMPP servers, as the page is told of it.
type domain struct {
	Name   string `json:"name"`
	Echoes bool   `json:"echoes"` // lets in anybody and sends back everything
	addr   string
}

func writeDomains(w http.ResponseWriter, domains []domain) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"domains": domains, "bus": busName})
}
