package clients_test

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// startGateway puts BOSH and WebSocket in front of a server, and returns
// host:port.
func startGateway(t *testing.T, server string) string {
	t.Helper()
	var said lockedBuffer
	logger := slog.New(slog.NewTextHandler(&said, nil))
	relay, err := xmpp.NewRelay(&xmpp.Options{
		Routes: map[string]xmpp.Route{domain: {Addr: server, TLS: xmpp.NoTLS}},
		Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	m := transport.NewManager(&transport.Options{Backend: relay, Logger: logger})
	handler := bosh.NewHandler(m, &bosh.Options{
		XMPP:        func(to string) bool { return to == domain },
		OpeningWait: patience, // stanza and libpurple need features in the first answer
		Logger:      logger,
	})
	mux := http.NewServeMux()
	mux.Handle("/http-bind", handler)
	mux.Handle("/http-bind/", handler)
	mux.Handle("/xmpp-websocket", websocket.NewHandler(m, &websocket.Options{XMPP: true, NoPush: true, Push: &push.Options{Logger: logger}}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: patience, ConnContext: bosh.ConnContext}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(bosh.Listen(l)) }()
	t.Cleanup(func() {
		srv.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		m.Shutdown(ctx)
		if t.Failed() {
			t.Logf("the gateway said:\n%s", said.String())
		}
	})
	return l.Addr().String()
}

// A wire carries connections to an address, and can be cut.
type wire struct {
	net.Listener
	mu    sync.Mutex
	to    string            // host:port
	conns map[net.Conn]bool // true: the last that it carried was to the gateway
	asked sync.Cond         // when one becomes true
	loss  *loss             // what is to be lost next, if anything
}

// newWire returns a wire to host:port; its own is in Addr.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to, conns: make(map[net.Conn]bool)}
	w.asked.L = &w.mu
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", w.end())
			if err != nil {
				near.Close()
				continue
			}
			carrying.Go(func() { w.carry(near, far) })
		}
	})
	t.Cleanup(func() { l.Close(); w.cut(); carrying.Wait() })
	return w
}

func (w *wire) carry(near, far net.Conn) {
	w.mark(near, false)
	var both sync.WaitGroup
	for _, to := range []net.Conn{near, far} {
		from := near
		if to == near {
			from = far
		}
		both.Go(func() {
			defer near.Close()
			defer far.Close()
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				w.mark(near, to == far)
				if w.loses(to == far, buf[:n]) {
					w.cut()
					return
				}
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
		})
	}
	both.Wait()
	w.mu.Lock()
	delete(w.conns, near)
	w.mu.Unlock()
}

func (w *wire) mark(near net.Conn, asks bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[near] = asks
	if asks {
		w.asked.Broadcast()
	}
}

func (w *wire) end() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to
}

// lead has new connections go to another address.
func (w *wire) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

// cut breaks every connection that there is now. New ones are carried.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breakAll()
}

// cutRequest is cut when a request has no answer yet.
func (w *wire) cutRequest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !slices.Contains(slices.Collect(maps.Values(w.conns)), true) {
		w.asked.Wait()
	}
	w.breakAll()
}

func (w *wire) breakAll() {
	for c := range w.conns {
		c.Close()
	}
}
