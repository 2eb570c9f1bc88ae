package discovery

import (
	"net/http"
	"strings"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// Endpoints are the paths of a gateway's endpoints, such as "/http-bind".
// Empty: there is none.
type Endpoints struct {
	BOSH, WebSocket string
	// Base is where the gateway is seen from outside, "https://gw.example" or
	// "https://gw.example/xmpp"; in it, "{host}" stands for the host that was
	// asked. Empty: at that host itself.
	Base string
}

// Links returns the links to the endpoints, for a request made to any host.
func (e Endpoints) Links(r *http.Request) []Link {
	base := e.base(r)
	var links []Link
	if e.BOSH != "" {
		links = append(links, Link{RelBOSH, base + e.BOSH})
	}
	if e.WebSocket != "" {
		// https becomes wss, and http ws.
		links = append(links, Link{RelWebSocket, "ws" + strings.TrimPrefix(base, "http") + e.WebSocket})
	}
	return links
}

// base returns what the links begin with. XEP-0156 §4 allows TLS only; a client
// that asks here without may be behind a proxy that does not tell of it. On the
// same machine there is no network to hide anything from, and no certificate.
func (e Endpoints) base(r *http.Request) string {
	host := strings.ToLower(r.Host)
	switch {
	case e.Base != "":
		return strings.TrimSuffix(strings.ReplaceAll(e.Base, "{host}", host), "/")
	case r.TLS == nil && clientaddr.IsLoopback(host):
		return "http://" + host
	}
	return "https://" + host
}
