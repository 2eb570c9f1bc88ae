package discovery

import (
	"encoding/json"
	"net/http"
	"strings"
)

// The paths that the handler is for.
const (
	Path     = "/.well-known/host-meta"
	PathJSON = "/.well-known/host-meta.json"
)

// Link relations of XEP-0156 §2.1.
const (
	RelBOSH      = "urn:xmpp:alt-connections:xbosh"
	RelWebSocket = "urn:xmpp:alt-connections:websocket"
)

// A Link is where a service is.
type Link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// A Handler serves host-meta. It may be used by many goroutines at once.
type Handler struct {
	links func(*http.Request) []Link
}

// NewHandler returns a handler. The function returns the links for the host
// that a request was made to; none mean that there is nothing for this host.
//
// The links are to be https and wss (XEP-0156 §4), one of a kind, and nothing
// that SRV records say already.
func NewHandler(links func(*http.Request) []Link) *Handler { return &Handler{links} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	// XEP-0156 §3 recommends it for these files: any page may read them.
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		header.Set("Allow", allowed)
		header.Set("Access-Control-Allow-Methods", allowed)
		header.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		header.Set("Allow", allowed)
		http.Error(w, "Use GET.", http.StatusMethodNotAllowed)
		return
	}
	links := h.links(r)
	if len(links) == 0 {
		http.Error(w, "No XMPP services are known for this host.", http.StatusNotFound)
		return
	}
	header.Set("Cache-Control", "max-age=300")
	if strings.HasSuffix(r.URL.Path, ".json") || wantsJSON(r.Header["Accept"]) {
		header.Set("Content-Type", "application/json")
		w.Write(jrd(links))
		return
	}
	header.Set("Content-Type", "application/xrd+xml")
	w.Write(xrd(links))
}

const allowed = "GET, HEAD, OPTIONS"

// jrd returns the document of RFC 6415 appendix A.
func jrd(links []Link) []byte {
	data, err := json.Marshal(map[string][]Link{"links": links})
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return append(data, '\n')
}

// xrd returns the document of RFC 6415 §3.1.
func xrd(links []Link) []byte {
	b := []byte("<?xml version='1.0' encoding='UTF-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n")
	for _, l := range links {
		b = append(b, "  <Link rel='"+escape.Replace(l.Rel)+"' href='"+escape.Replace(l.Href)+"'/>\n"...)
	}
	return append(b, "</XRD>\n"...)
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;")
