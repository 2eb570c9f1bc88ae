package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// server is what is tested: the backend behind all carriers, on loopback.
type server struct {
	addr    string
	http    *http.Server
	manager *transport.Manager
	// answered with nothing: holds that were over; repeated: answers of BOSH
	// that were given again.
	empty, repeated atomic.Uint64
}

// startServer starts it. The outbox, what may wait for a client, is small, so
// that clients are often behind by all of it. Requests are held for wait.
// Domain is that of an XMPP server behind it, if there is one.
func startServer(b transport.Backend, domain string, outbox int, wait time.Duration, logger *slog.Logger) (*server, error) {
	s := &server{}
	s.manager = transport.NewManager(&transport.Options{
		Backend: b,
		Limits:  transport.Params{MaxOutbox: outbox},
		Logger:  logger,
		Trace: &transport.Trace{
			Answered: func(_ *transport.Session, frames, _ int) {
				if frames == 0 {
					s.empty.Add(1)
				}
			},
			Repeated: func(*transport.Session) { s.repeated.Add(1) },
		},
	})
	pushOptions := &push.Options{Wait: wait, Ping: time.Second, BodyTimeout: 5 * time.Second, Logger: logger}
	mux := http.NewServeMux()
	mux.Handle("/push", longpoll.NewHandler(s.manager, pushOptions))
	mux.Handle("/push/sse", sse.NewHandler(s.manager, pushOptions))
	mux.Handle("/push/ws", websocket.NewHandler(s.manager, &websocket.Options{Push: pushOptions}))
	mux.Handle("/http-bind", bosh.NewHandler(s.manager, &bosh.Options{
		DefaultTo: "anybody", XMPP: func(to string) bool { return to == domain && domain != "" }, Wait: wait, Hold: 2, Requests: 255, Logger: logger,
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.addr = l.Addr().String()
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ConnContext: bosh.ConnContext}
	go s.http.Serve(bosh.Listen(l))
	return s, nil
}

func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.manager.Shutdown(ctx)
	s.http.Close()
	return err
}
