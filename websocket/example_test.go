package websocket_test

import (
	"net/http"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// One address for XMPP clients, whose streams go to the backend.
func ExampleNewHandler() {
	var backend transport.Backend // a relay to an XMPP server
	m := transport.NewManager(&transport.Options{Backend: backend})
	http.Handle("/xmpp-websocket", websocket.NewHandler(m, &websocket.Options{
		XMPP:   true,
		NoPush: true,
		Push:   &push.Options{Origins: []string{"https://chat.example"}},
	}))
}
