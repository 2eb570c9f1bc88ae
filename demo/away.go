package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// This file reaches who has closed the page, by Web Push: docs/webpush.md. The chat has
// no users, so a browser is one: its token is a long random text that it made itself.

// newGuard lets everybody do everything, and knows browsers again.
func newGuard() (*auth.Guard, error) {
	rules, err := auth.ParseRules("anybody subscribe publish history presence on *")
	if err != nil {
		return nil, err
	}
	browser := func(_ context.Context, token string) (*auth.Principal, error) {
		sum := sha256.Sum256([]byte(token)) // names of users may be seen, tokens not
		return &auth.Principal{User: hex.EncodeToString(sum[:8])}, nil
	}
	return auth.NewGuard(&auth.Options{Authenticator: auth.AuthenticatorFunc(browser), Rules: rules}), nil
}

const (
	roomTopic = "room/"
	// awayTopic is told of each message in the room. Browsers are registered with it,
	// and pages that are open subscribe to it, and so acknowledge.
	awayTopic = "away/"
)

// awayAfter is how many seconds a page has to acknowledge.
const awayAfter = 5

// A herald is an engine that has those be told who are away.
type herald struct {
	bus.Engine
	pusher *webpush.Pusher
	after  float64 // awayAfter
	logger *slog.Logger
}

// Publish implements bus.Engine.
func (h *herald) Publish(ctx context.Context, topic string, p bus.Publication) (bus.Published, error) {
	at, err := h.Engine.Publish(ctx, topic, p)
	if room, ok := strings.CutPrefix(topic, roomTopic); ok && err == nil && !at.Duplicate {
		var said struct{ Name, Text string }
		if json.Unmarshal(p.Data, &said) == nil && said.Text != "" {
			go h.tell(room, said.Name, said.Text)
		}
	}
	return at, err
}

// maxBody bounds what a notification says.
const maxBody = 200

func (h *herald) tell(room, name, text string) {
	if runes := []rune(text); len(runes) > maxBody {
		text = string(runes[:maxBody]) + "…"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := h.pusher.Publish(ctx, awayTopic+room, json.RawMessage("{}"), nil, &webpush.Message{
		Title: name + " in #" + room, Body: text, URL: "/#" + room, Icon: "/icon.svg", Tag: roomTopic + room, After: h.after,
	})
	if err != nil {
		h.logger.Warn("nobody is told who is away", "error", err)
	}
}
