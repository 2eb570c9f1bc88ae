package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// newLogger returns a logger that says of each request whose it is.
func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(clientHandler{slog.NewJSONHandler(w, options)})
	}
	return slog.New(clientHandler{slog.NewTextHandler(w, options)})
}

func levelOf(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // one of the four
	return l
}

// A clientHandler adds the client's address to what is logged in a request.
type clientHandler struct{ slog.Handler }

func (h clientHandler) Handle(ctx context.Context, r slog.Record) error {
	if client, _ := clientaddr.From(ctx); client != nil {
		r.AddAttrs(slog.String("client", client.String()))
		if peer := clientaddr.Peer(ctx); peer.String() != client.String() {
			r.AddAttrs(slog.String("via", peer.String()))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h clientHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return clientHandler{h.Handler.WithAttrs(attrs)}
}

func (h clientHandler) WithGroup(name string) slog.Handler {
	return clientHandler{h.Handler.WithGroup(name)}
}
