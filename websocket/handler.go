package websocket

import (
	"context"
	"net/http"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Handler is the http.Handler of the carrier. It serves one address, whatever
// it is mounted on.
type Handler struct {
	endpoint *push.Endpoint
	opts     Options
}

// NewHandler returns a handler for the manager's sessions. Nil options are
// the defaults.
func NewHandler(m *transport.Manager, opts *Options) *Handler {
	var o Options
	if opts != nil {
		o = *opts
	}
	h := &Handler{endpoint: push.NewEndpoint(m, o.Push), opts: o}
	h.opts.Push = h.endpoint.Options()
	return h
}

// ServeHTTP implements http.Handler. It returns once the connection is a
// WebSocket: what serves it then needs nothing of the HTTP server any more,
// whose buffers and stack would be most of an idle connection's cost.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.endpoint.Admit(w, r, http.MethodGet) {
		return
	}
	if !upgradable(r) || !offers(r, push.Protocol) {
		h.endpoint.Refuse(w, &push.Error{Code: push.BadRequest, Message: "this is for WebSockets with the subprotocol " + push.Protocol})
		return
	}
	c, err := upgrade(w, r, push.Protocol, &h.opts)
	if err != nil {
		return
	}
	go newPusher(c, h.endpoint).serve(context.WithoutCancel(r.Context()))
}
