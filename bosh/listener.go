package bosh

import (
	"net"
	"net/http"

	"github.com/mochibosh/mochibosh/internal/pipelined"
)

// Listen returns a listener for srv to serve on in place of ln, for clients
// that send the next request on a connection before they have the answer to the
// one before, as HTTP/1.1 lets them. net/http by itself does not look at that
// request until the other one, which may be held, is answered. With this, a
// [Handler] on the server answers it then.
//
//	srv := &http.Server{Handler: mux}
//	ln, err := net.Listen("tcp", ":5280")
//	…
//	err = srv.Serve(bosh.Listen(srv, ln))
//
// For TLS, ln is to be made by [tls.NewListener]; ServeTLS would hide the
// requests. HTTP/2 needs it not, and is served as before. Listen sets
// srv.ConnContext, where it calls what was set before; it is to be called
// before the server is in use.
func Listen(srv *http.Server, ln net.Listener) net.Listener { return pipelined.Listen(srv, ln) }
