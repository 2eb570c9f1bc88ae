package main

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/web"
	"github.com/mochibosh/mochibosh/websocket"
)

//go:embed page
var page embed.FS

// chat serves the page, the client, and the event bus over all carriers.
type chat struct {
	http.Handler
	manager *transport.Manager
	herald  *herald
}

// newChat makes one. Of the options of Web Push it says what is missing: its keys are
// new each time, so browsers subscribe anew after a restart.
func newChat(logger *slog.Logger, away webpush.Options) (*chat, error) {
	guard, err := newGuard()
	if err != nil {
		return nil, err
	}
	o := &bus.Options{
		Logger: logger,
		Guard:  guard,
		Topics: []bus.TopicRule{
			webpush.TopicRule(),
			{Pattern: "now/*", History: -1},                         // who is typing: nobody needs it later
			{Pattern: awayTopic + "*", History: -1},                 // nor who is away
			{Pattern: "gone/*", History: 100, Age: 2 * time.Minute}, // who closed the page: longer than its session lives
			{Pattern: "*", History: 200, Age: 24 * time.Hour},
		},
	}
	h := &herald{Engine: bus.NewMemory(o), after: awayAfter, logger: logger}
	o.Engine = h
	b := bus.New(o)
	if away.Keys, err = webpush.NewKeys(); err != nil {
		return nil, err
	}
	away.Subject, away.Logger = "https://github.com/mochibosh/mochibosh", logger
	if h.pusher, err = webpush.New(b, away); err != nil {
		return nil, err
	}
	m := transport.NewManager(&transport.Options{Backend: b, Logger: logger})
	options := &push.Options{Guard: guard, Logger: logger}

	r := mux.NewRouter()
	r.Handle("/push", longpoll.NewHandler(m, options))
	r.Handle("/push/sse", sse.NewHandler(m, options))
	r.Handle("/push/ws", websocket.NewHandler(m, &websocket.Options{Push: options}))
	r.Handle("/push/web", webpush.NewHandler(h.pusher, webpush.HandlerOptions{Guard: guard, Logger: logger}))
	overBOSH := bosh.NewHandler(m, &bosh.Options{DefaultTo: "bus", SignIn: guard.SignIn, Logger: logger})
	r.Handle("/http-bind", overBOSH)
	r.Handle("/http-bind/", overBOSH) // some clients insist on the slash
	r.PathPrefix(api.Path).Handler(api.NewHandler(b, &api.Options{Open: true, Logger: logger}))

	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	r.PathPrefix("/mochi/").Handler(static(http.StripPrefix("/mochi/", web.Handler(web.Client))))
	r.Handle("/push/doctor", http.RedirectHandler("/push/doctor/", http.StatusFound))
	r.PathPrefix("/push/doctor/").Handler(static(http.StripPrefix("/push/doctor/", web.Handler(web.Doctor))))
	r.PathPrefix("/").Handler(static(web.Handler(files)))
	return &chat{r, m, h}, nil
}

// sendTimeout is how long a client may take to read a file.
const sendTimeout = 30 * time.Second

// static serves files of our own and keeps a page from loading anything else.
func static(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// For this answer only: net/http takes it back for the next request on
		// the connection, which may be held for longer.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // the files change with the program
		files.ServeHTTP(w, r)
	})
}
