package pushtest

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"

	gorilla "github.com/gorilla/websocket"
)

// Session is what a client knows of its session.
type Session struct {
	server  *Server
	ID, Key string
}

// Create creates a session over long-poll.
func (s *Server) Create() Session {
	s.t.Helper()
	status, o := s.Post("/push", `{}`)
	if status != http.StatusCreated {
		s.t.Fatalf("creation answered with %d %+v", status, o)
	}
	return s.Session(o)
}

// Session returns the session of the answer to a creation.
func (s *Server) Session(created Object) Session { return Session{s, created.Session, created.Key} }

// Object returns an object for the session with more members, such as
// `"attach":1`.
func (s Session) Object(members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"session":%q,"key":%q%s}`, s.ID, s.Key, members)
}

// Post posts an object of the session.
func (s Session) Post(members string) Object {
	s.server.t.Helper()
	status, o := s.server.Post("/push", s.Object(members))
	if status != http.StatusOK {
		s.server.t.Fatalf("%s answered with %d %+v", members, status, o.Error)
	}
	return o
}

// Ticket asks for a ticket for an event stream.
func (s Session) Ticket(members string) string {
	s.server.t.Helper()
	status, o := s.server.Post("/push/sse", s.Object(members))
	if status != http.StatusOK || o.Ticket == "" {
		s.server.t.Fatalf("no ticket: %d %+v", status, o.Error)
	}
	return o.Ticket
}

// Events opens an event stream.
func (s Session) Events(members string) *Events {
	s.server.t.Helper()
	resp, err := s.server.Client.Get("http://push.test/push/sse?ticket=" + s.Ticket(members))
	if err != nil {
		s.server.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		s.server.t.Fatalf("stream answered with %s", resp.Status)
	}
	s.server.t.Cleanup(func() { resp.Body.Close() })
	return &Events{server: s.server, Response: resp, lines: bufio.NewReader(resp.Body)}
}

// Events is an open event stream.
type Events struct {
	server   *Server
	Response *http.Response
	lines    *bufio.Reader
}

// Next returns the id and the object of the next event.
func (e *Events) Next() (id string, o Object, err error) {
	e.server.t.Helper()
	var data []byte
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return "", Object{}, err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "id":
			id = value
		case "data":
			data = append(data, value...)
		case "":
			return id, e.server.parse(data), nil
		}
	}
}

// Close closes the stream from the client's side.
func (e *Events) Close() { e.Response.Body.Close() }

// WebSocket opens a socket and sends the first object.
func (s Session) WebSocket(members string) *Socket {
	s.server.t.Helper()
	ws := s.server.WebSocket()
	ws.Send(s.Object(members))
	return ws
}

// Socket is a WebSocket of the test.
type Socket struct {
	server *Server
	*gorilla.Conn
}

// Send sends an object.
func (ws *Socket) Send(object string) {
	ws.server.t.Helper()
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(object)); err != nil {
		ws.server.t.Fatal(err)
	}
}

// Next returns the next object.
func (ws *Socket) Next() (Object, error) {
	ws.server.t.Helper()
	_, data, err := ws.ReadMessage()
	if err != nil {
		return Object{}, err
	}
	return ws.server.parse(data), nil
}

// CloseCode reads up to the close frame and returns its code.
func (ws *Socket) CloseCode() int {
	ws.server.t.Helper()
	for {
		if _, err := ws.Next(); err != nil {
			if e, ok := err.(*gorilla.CloseError); ok {
				return e.Code
			}
			ws.server.t.Fatalf("no close frame: %v", err)
		}
	}
}
