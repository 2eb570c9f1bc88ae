package webpush_test

import (
	"context"
	"encoding/json"
	"log"
	"net/http"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// Browsers register at /push/web. Ann gets a message on her page, or a notification
// if no client of hers has acknowledged it in ten seconds.
func Example() {
	keys, err := webpush.NewKeys() // for a start; Keys.PEM is what to keep
	if err != nil {
		log.Fatal(err)
	}
	guard := auth.NewGuard(nil)
	b := bus.New(&bus.Options{Guard: guard, Topics: []bus.TopicRule{webpush.TopicRule()}})
	pusher, err := webpush.New(b, webpush.Options{Keys: keys, Subject: "mailto:ops@chat.example"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/push/web", webpush.NewHandler(pusher, webpush.HandlerOptions{Guard: guard}))

	_, err = pusher.Publish(context.Background(), bus.UserTopic("ann"), json.RawMessage(`{"text":"Lunch?"}`), nil,
		&webpush.Message{Title: "Ben", Body: "Lunch?", After: 10})
	if err != nil {
		log.Fatal(err)
	}
}
