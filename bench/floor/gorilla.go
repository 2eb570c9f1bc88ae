package main

import (
	"log"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// serveGorilla has a goroutine that reads for each socket; who publishes writes.
func serveGorilla(ln net.Listener, ts *topics) error {
	ts.make = func(text []byte) *message {
		prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
		if err != nil {
			log.Fatal(err)
		}
		return &message{prepared: prepared}
	}
	var upgrader websocket.Upgrader
	m := mux(ts)
	m.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		ts.get(r.FormValue("id")).subscribe(func(m *message) { ws.WritePreparedMessage(m.prepared) })
		for err == nil {
			_, _, err = ws.NextReader()
		}
	})
	return http.Serve(ln, m)
}
