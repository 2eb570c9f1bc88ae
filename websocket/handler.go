package websocket

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Handler is the http.Handler of the carrier. It serves one address, whatever
// it is mounted on.
type Handler struct {
	manager  *transport.Manager
	endpoint *push.Endpoint
	opts     Options
	spoken   []string  // subprotocols
	deflate  *deflater // nil: nothing is compressed
}

// NewHandler returns a handler for the manager's sessions. Nil options are
// the defaults: push.v1 and nothing else.
func NewHandler(m *transport.Manager, opts *Options) *Handler {
	var o Options
	if opts != nil {
		o = *opts
	}
	h := &Handler{manager: m, endpoint: push.NewEndpoint(m, o.Push), opts: o}
	h.opts.Push = h.endpoint.Options()
	if o.Compression {
		h.deflate = newDeflater(cmp.Or(o.CompressFrom, DefaultCompressFrom))
	}
	if !o.NoPush {
		h.spoken = append(h.spoken, push.Protocol)
	}
	if o.XMPP {
		h.spoken = append(h.spoken, ProtocolXMPP)
	}
	return h
}

// ServeHTTP implements http.Handler. It returns once the connection is a
// WebSocket: what serves it then needs nothing of the HTTP server any more,
// whose buffers and stack would be most of an idle connection's cost.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.endpoint.Admit(w, r, http.MethodGet) {
		return
	}
	protocol := choose(r, h.spoken)
	if !upgradable(r) || protocol == "" {
		h.endpoint.Refuse(w, &push.Error{
			Code:    push.BadRequest,
			Message: "this is for WebSockets with the subprotocol " + strings.Join(h.spoken, " or "),
		})
		return
	}
	c, err := h.upgrade(w, r, protocol)
	if err != nil {
		return
	}
	ctx := context.WithoutCancel(r.Context())
	switch protocol {
	case ProtocolXMPP:
		go newXMPP(c, h.manager, h.opts.Push, isSecure(r)).serve(ctx)
	default:
		go newPusher(c, h.endpoint, bearer.Token(r.Header)).serve(ctx)
	}
}

// isSecure reports whether the connection is known to be encrypted. Where a
// proxy ends TLS, a page's origin shows it: one that came over https cannot
// connect in the clear.
func isSecure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https:")
}
