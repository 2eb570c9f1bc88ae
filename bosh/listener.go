package bosh

import (
	"context"
	"net"

	"github.com/mochibosh/mochibosh/internal/pipelined"
)

// Listen returns a listener to serve on in place of ln, for clients that send
// the next request on a connection before they have the answer to the one
// before, as HTTP/1.1 lets them (RFC 9112 §9.3.2). net/http by itself does not
// look at that request until the other one, which may be held, is answered. With
// this, a [Handler] answers it then. The server needs [ConnContext], too:
//
//	srv := &http.Server{Handler: mux, ConnContext: bosh.ConnContext}
//	ln, err := net.Listen("tcp", ":5280")
//	…
//	err = srv.Serve(bosh.Listen(ln))
//
// For TLS, ln is to be made by [crypto/tls.NewListener], with "h2" and "http/1.1" in
// NextProtos, as ServeTLS would: but ServeTLS on a listener from here would hide
// the requests. HTTP/2 does not need it, and is served as before.
func Listen(ln net.Listener) net.Listener { return pipelined.Listen(ln) }

// ConnContext is for http.Server.ConnContext, on its own or called by another:
// handlers find the connections of [Listen] by it. Those of other listeners it
// leaves alone.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return pipelined.ConnContext(ctx, c)
}
