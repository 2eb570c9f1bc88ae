package bus_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/transport"
)

// A bus is the backend of a session manager; programs publish beside it. Here
// the part of the client, which a carrier has otherwise, is played by calls
// to the session.
func Example() {
	events := bus.New(&bus.Options{
		Topics: []bus.TopicRule{
			{Pattern: "ticker.*", History: 10, Slow: bus.LatestPerKey},
			{Pattern: "*", History: 1000, Age: time.Hour},
		},
	})
	manager := transport.NewManager(&transport.Options{Backend: events})
	http.Handle(api.Path, api.NewHandler(events, nil))

	ctx := context.Background()
	if _, err := events.Publish(ctx, "news", []byte(`"before you came"`), nil); err != nil {
		log.Fatal(err)
	}

	session, err := manager.Create(ctx, transport.Params{Wait: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := session.Open(ctx, "", ""); err != nil {
		log.Fatal(err)
	}
	subscribe := `{"op":"subscribe","topic":"news","history":1}`
	if _, err := session.Push(ctx, 0, []transport.Frame{{Data: []byte(subscribe)}}); err != nil {
		log.Fatal(err)
	}
	for seen := uint64(0); seen < 2; {
		r, err := session.Pull(ctx, transport.Pull{After: seen, Wait: time.Minute})
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range r.Frames {
			text, _, _ := strings.Cut(string(f.Data), `,"epoch"`) // it is random
			fmt.Println(text)
		}
		seen = r.Last()
	}
	if err := manager.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// {"type":"subscribed","topic":"news"
	// {"type":"message","topic":"news","offset":1,"data":"before you came"}
}
