package xmpp_test

import (
	"log"
	"net/http"

	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// Three domains behind one address for XMPP clients: a server on this machine, one
// that the DNS knows, and one with a certificate of its own authority.
func ExampleNewRelay() {
	relay, err := xmpp.NewRelay(&xmpp.Options{
		Routes: map[string]xmpp.Route{
			"localhost":   {Addr: "127.0.0.1:5222", TLS: xmpp.NoTLS},
			"im.example":  {},
			"old.example": {Addr: "xmpp.internal:5223", TLS: xmpp.DirectTLS, CAFile: "/etc/ssl/internal.pem"},
		},
		Trace: xmpp.Trace{
			Fault: func(err *xmpp.Error) { log.Println(err.Stage, err.Domain) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	m := transport.NewManager(&transport.Options{Backend: relay})
	http.Handle("/xmpp-websocket", websocket.NewHandler(m, &websocket.Options{
		XMPP:   true,
		NoPush: true,
		Push:   &push.Options{Origins: []string{"https://chat.example"}},
	}))
}
