//go:build linux

package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/bench/programs"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// What is short here, so that much happens.
const (
	wait       = time.Second
	inactivity = 2 * time.Second
	domain     = "im.example"
)

// server is what is soaked: all carriers, in front of the bus and of an XMPP
// server.
type server struct {
	addr    string
	manager *transport.Manager
	http    *httpd.Server
	echo    *programs.Running
	dir     string
}

func startServer(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, echo: programs.New()}
	if err := programs.Build(ctx, dir, false, "bench/echoserver"); err != nil {
		s.stop()
		return nil, err
	}
	addr, err := s.echo.Announced("echo", exec.CommandContext(ctx, filepath.Join(dir, "echoserver"), "-domain", domain))
	if err != nil {
		s.stop()
		return nil, err
	}
	relay, err := xmpp.NewRelay(&xmpp.Options{Routes: map[string]xmpp.Route{domain: {Addr: addr, TLS: xmpp.NoTLS}}})
	if err != nil {
		s.stop()
		return nil, err
	}
	s.manager = transport.NewManager(&transport.Options{
		Backend: transport.Mux{
			"":     bus.New(&bus.Options{Topics: []bus.TopicRule{{Pattern: "*", History: 20, Slow: bus.DropOldest}}}),
			domain: relay,
		},
		Limits: transport.Params{MaxOutbox: 64 << 10, Inactivity: inactivity, Wait: wait},
	})
	opts := &push.Options{Wait: wait, Ping: wait, Inactivity: inactivity, BodyTimeout: inactivity, WriteTimeout: inactivity}
	mux := http.NewServeMux()
	mux.Handle("/push", longpoll.NewHandler(s.manager, opts))
	mux.Handle("/push/sse", sse.NewHandler(s.manager, opts))
	mux.Handle("/push/ws", websocket.NewHandler(s.manager, &websocket.Options{Push: opts, XMPP: true}))
	mux.Handle("/http-bind", bosh.NewHandler(s.manager, &bosh.Options{
		XMPP: func(to string) bool { return to == domain }, DefaultTo: "bus", Wait: wait, Inactivity: inactivity,
		BodyTimeout: inactivity, WriteTimeout: inactivity,
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.stop()
		return nil, err
	}
	s.addr = l.Addr().String()
	s.http = &httpd.Server{Options: httpd.Options{Handler: mux, IdleTimeout: inactivity, WriteTimeout: inactivity}}
	go s.http.Serve(l)
	return s, nil
}

func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if s.manager != nil {
		_ = s.manager.Shutdown(ctx)
	}
	if s.http != nil {
		_ = s.http.Close()
	}
	s.echo.Stop()
	_ = os.RemoveAll(s.dir)
}
