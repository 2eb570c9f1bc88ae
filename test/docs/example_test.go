package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/gorilla/mux"
	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/backends/jetstream"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/web"
	"github.com/mochibosh/mochibosh/websocket"
)

// The quick start, in a server of one's own.
func Example_quickstart() {
	ctx := context.Background()

	events := bus.New(nil)
	m := transport.NewManager(&transport.Options{Backend: events})
	r := mux.NewRouter()
	r.Handle("/push", longpoll.NewHandler(m, nil))
	r.Handle("/push/sse", sse.NewHandler(m, nil))
	r.Handle("/push/ws", websocket.NewHandler(m, nil))
	r.PathPrefix("/mochi/").Handler(http.StripPrefix("/mochi/", web.Handler(web.Client)))

	events.Publish(ctx, "news", json.RawMessage(`{"text":"Tea at five"}`), nil)

	for _, file := range []string{"mochi.min.js", "reload.min.js", "tabs.min.js"} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", "/mochi/"+file, nil))
		fmt.Println(file, w.Code)
	}
	history, err := events.History(ctx, "news", bus.Query{Last: 1})
	fmt.Println(string(history.Messages[0].Data), err)
	// Output:
	// mochi.min.js 200
	// reload.min.js 200
	// tabs.min.js 200
	// {"text":"Tea at five"} <nil>
}

// Permission, in a server of one's own.
func Example_permission() {
	r := mux.NewRouter()
	rules, err := auth.ParseRules("users subscribe publish on chat/*")
	if err != nil {
		fmt.Println(err)
	}
	whose := func(_ context.Context, token string) (*auth.Principal, error) {
		return &auth.Principal{User: token}, nil
	}

	guard := auth.NewGuard(&auth.Options{Authenticator: auth.AuthenticatorFunc(whose), Rules: rules})
	events := bus.New(&bus.Options{Guard: guard})
	m := transport.NewManager(&transport.Options{Backend: events})
	options := &push.Options{Guard: guard}
	r.Handle("/push", longpoll.NewHandler(m, options))
	r.Handle("/http-bind", bosh.NewHandler(m, &bosh.Options{DefaultTo: "bus", SignIn: guard.SignIn}))
}

// One of several servers, on NATS.
func Example_nodes() {
	ctx := context.Background()
	var conn *nats.Conn

	node, err := nodes.Join(nodes.Options{Conn: conn, Name: "n1"})
	store, err := jetstream.NewStore(ctx, jetstream.Options{Conn: conn, Node: "n1"})
	engine, err := jetstream.NewEngine(ctx, jetstream.Options{Conn: conn, Node: "n1"})
	b := bus.New(&bus.Options{Engine: engine, Survey: node.Survey})
	node.Answers(b.Answer)
	manager := transport.NewManager(&transport.Options{
		Backend: b,
		NewID:   node.NewID,
		Store:   node.Store(store),
	})
	handler := longpoll.NewHandler(manager, &push.Options{Forward: node.Forward})
	err = node.Begin(manager, handler)
	_ = err
}

// Web Push, in a server of one's own.
func Example_webPush() {
	ctx, data := context.Background(), json.RawMessage(`{}`)
	pem, _ := os.ReadFile("vapid.pem")
	var guard *auth.Guard

	keys, err := webpush.ParseKeys(pem)
	rules := []bus.TopicRule{webpush.TopicRule()} // before yours: for After
	b := bus.New(&bus.Options{Guard: guard, Topics: rules})
	pusher, err := webpush.New(b, webpush.Options{Keys: keys, Subject: "mailto:ops@chat.example"})
	http.Handle("/push/web", webpush.NewHandler(pusher, webpush.HandlerOptions{Guard: guard}))

	pusher.Publish(ctx, bus.UserTopic("ann"), data, nil, &webpush.Message{Title: "Ben", Body: "Lunch?", After: 10})
	_ = err
}
