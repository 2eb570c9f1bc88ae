package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
)

// mux has what every kind on net/http has: a way to publish.
func mux(ts *topics) *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("POST /pub", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		ts.get(r.FormValue("id")).publish(ts.make(body))
	})
	return m
}

// serveHTTP blocks a handler for each poll and each stream.
func serveHTTP(ln net.Listener, ts *topics) error {
	ts.make = func(text []byte) *message { return &message{text: text} }
	m := mux(ts)
	m.HandleFunc("GET /lp", func(w http.ResponseWriter, r *http.Request) {
		t := ts.get(r.FormValue("id"))
		after, _ := strconv.Atoi(r.FormValue("after"))
		come := make(chan []*message, 1)
		p, messages := t.poll(after, ts.hold, func(m []*message) { come <- m })
		if p != nil {
			select {
			case messages = <-come:
			case <-r.Context().Done():
				t.cancel(p)
				return
			}
		}
		var text []byte
		for _, m := range messages {
			text = append(text, m.text...)
		}
		w.Write(text)
	})
	m.HandleFunc("GET /sse", func(w http.ResponseWriter, r *http.Request) {
		come := make(chan *message, kept)
		ts.get(r.FormValue("id")).subscribe(func(m *message) { come <- m })
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := http.NewResponseController(w)
		for flusher.Flush() == nil {
			select {
			case m := <-come:
				io.WriteString(w, "data: ")
				w.Write(m.text)
				io.WriteString(w, "\n\n")
			case <-r.Context().Done():
				return
			}
		}
	})
	return http.Serve(ln, m)
}
