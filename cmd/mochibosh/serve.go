package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
)

// A server is the running program.
type server struct {
	in           *invocation
	logger       *slog.Logger
	level        *slog.LevelVar
	gateway      *gateway
	certificates certificateStore
	http         *httpd.Server
	supervisor   supervisor
}

// serve runs until the context is done, and then lets go of everybody. Each
// signal has the configuration read again.
func serve(ctx context.Context, in *invocation, reload <-chan os.Signal, stderr io.Writer) error {
	level := new(slog.LevelVar)
	level.Set(levelOf(in.LogLevel))
	in.tuneMemory(ctx)
	s := &server{in: in, level: level, logger: newLogger(stderr, in.LogFormat, level), supervisor: newSupervisor(os.Getenv)}
	certificates, err := in.certificates()
	if err != nil {
		return err
	}
	s.certificates.set(certificates)
	if s.gateway, err = newGateway(&in.settings, s.logger); err != nil {
		return err
	}
	connections, err := newConnections(&in.settings, s.logger)
	if err != nil {
		return err
	}
	connections.limited = s.gateway.metrics.limited
	handler, inner := s.gateway.handlers()
	s.http = newHTTPServer(&in.settings, handler, connections, s.logger)
	if b := s.gateway.budget; b != nil {
		b.Others = append(b.Others, s.http.Buffered)
		b.Shed = s.http.Shed
	}
	listeners, secure, err := listen(&in.settings, connections)
	if err != nil {
		return err
	}
	// Clients that come meanwhile wait to be accepted.
	if err := s.gateway.state.takeOver(ctx, s.gateway.manager); err != nil {
		return err
	}
	if err := s.gateway.cluster.serve(s.gateway.manager, inner); err != nil {
		return err
	}
	for _, p := range in.problems(time.Now()) {
		s.logger.Warn("configuration", "problem", p)
	}
	failed := make(chan error, len(listeners))
	for i, l := range listeners {
		s.logger.Info("listening", "address", l.Addr().String(), "tls", i >= secure)
		if i >= secure {
			l = bosh.Listen(tls.NewListener(l, s.certificates.config()))
		}
		go func() { failed <- s.http.Serve(l) }()
	}
	go s.gateway.admin.run(ctx)
	beats, stop := s.supervisor.beats()
	defer stop()
	s.say("READY=1")
	for {
		select {
		case err := <-failed:
			return errors.Join(err, s.shutdown())
		case <-beats:
			s.say("WATCHDOG=1")
		case <-reload:
			s.say("RELOADING=1")
			s.reload()
			s.say("READY=1")
		case <-ctx.Done():
			return s.shutdown()
		}
	}
}

// newHTTPServer returns the server: ours for HTTP/1 in clear, where a held
// request costs no goroutine, and that of net/http for TLS and HTTP/2.
func newHTTPServer(s *settings, h http.Handler, connections *connections, logger *slog.Logger) *httpd.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	other := &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ConnContext:       bosh.ConnContext, // for pipelined requests
		ReadHeaderTimeout: s.HeaderTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxHeaderBytes:    int(s.MaxHeader),
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelInfo),
		// No WriteTimeout: it would end held requests. Handlers set their own.
	}
	return &httpd.Server{Options: httpd.Options{
		Handler:       h,
		Other:         other,
		HeaderTimeout: s.HeaderTimeout,
		IdleTimeout:   s.IdleTimeout,
		WriteTimeout:  s.WriteTimeout,
		MaxHeader:     int(s.MaxHeader),
		MaxFields:     s.MaxHeaderLines,
		Limiter:       connections,
		Logger:        logger,
	}}
}

// shutdown tells load balancers first, then clients, and waits for both within
// its bounds.
func (s *server) shutdown() error {
	s.gateway.draining.Store(true)
	s.say("STOPPING=1")
	s.logger.Info("shutting down", "sessions", s.gateway.manager.Stats().Sessions, "delay", s.in.ShutdownDelay)
	time.Sleep(s.in.ShutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), s.in.ShutdownTimeout)
	defer cancel()
	// First the sessions, so that every open request has its answer.
	err := s.suspend(ctx)
	if err = errors.Join(err, s.http.Shutdown(ctx)); err != nil {
		s.logger.Warn("not everything ended in time", "timeout", s.in.ShutdownTimeout, "error", err)
		s.http.Close()
	}
	if p := s.gateway.pusher; p != nil {
		if err := p.Close(ctx); err != nil {
			s.logger.Warn("push notifications are lost", "error", err)
		}
	}
	if err := s.gateway.tracing.finish(ctx); err != nil {
		s.logger.Warn("spans are lost", "error", err)
	}
	s.gateway.state.finish()
	s.gateway.cluster.close()
	s.logger.Info("down")
	return nil
}
