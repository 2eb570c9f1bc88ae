// Command demo is a chat in one room over four carriers: WebSocket,
// server-sent events, long-poll and BOSH.
//
//	go run ./demo
//
// It listens on 127.0.0.1:8888; -listen changes it.
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

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8888", "`address` to listen on; port 0 takes a free one")
	verbose := flag.Bool("v", false, "log sessions and refused requests")
	flag.Parse()

	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, os.Stdout, logger); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run serves until the context is done, and then lets go of everybody. It
// prints the address once it listens.
func run(ctx context.Context, address string, out io.Writer, logger *slog.Logger) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	chat, err := newChat(logger, webpush.Options{})
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           chat,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // no WriteTimeout: it would end held requests
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	fmt.Fprintf(out, "mochibosh demo: http://%s\n", l.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	// First the sessions, so that every open request has its answer.
	return errors.Join(chat.manager.Shutdown(ctx), server.Shutdown(ctx), chat.herald.pusher.Close(ctx))
}
