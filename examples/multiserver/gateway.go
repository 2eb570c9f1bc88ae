package main

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/web"
)

// busName is the target of streams to the event bus.
const busName = "bus"

//go:embed page
var pageFiles embed.FS

// newManager returns the sessions' manager. Which backend a stream leads to is
// said by its target: the bus by its name, the servers by their domains.
func newManager(domains []domain) (*transport.Manager, error) {
	routes := make(map[string]xmpp.Route)
	backends := transport.Mux{busName: bus.New(nil)}
	for _, d := range domains {
		routes[d.Name] = xmpp.Route{Addr: d.addr, TLS: xmpp.NoTLS}
	}
	relay, err := xmpp.NewRelay(&xmpp.Options{Routes: routes})
	if err != nil {
		return nil, err
	}
	for _, d := range domains {
		backends[d.Name] = relay
	}
	return transport.NewManager(&transport.Options{Backend: backends}), nil
}

// newHandler serves BOSH, the page, and the modules that it takes from the
// console, its BOSH client before all.
func newHandler(manager *transport.Manager, domains []domain) http.Handler {
	isXMPP := func(to string) bool {
		for _, d := range domains {
			if d.Name == to {
				return true
			}
		}
		return false
	}
	page, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // embedded above
	}
	r := mux.NewRouter()
	r.Handle("/http-bind", bosh.NewHandler(manager, &bosh.Options{XMPP: isXMPP}))
	r.HandleFunc("/domains", func(w http.ResponseWriter, _ *http.Request) { writeDomains(w, domains) })
	r.PathPrefix("/console/").Handler(http.StripPrefix("/console/", http.FileServerFS(web.Console)))
	r.PathPrefix("/").Handler(http.FileServerFS(page))
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			next.ServeHTTP(w, r)
		})
	})
	return r
}
