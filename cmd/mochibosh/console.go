package main

import (
	"net/http"

	"github.com/mochibosh/mochibosh/web"
)

// console serves the page that shows XMPP on the wire. Where its user connects
// to is his own choice, so of the policy for connections only the schemes are
// given.
func console() http.Handler {
	files := http.StripPrefix(pathConsole, http.FileServerFS(web.Console))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' http: https: ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		files.ServeHTTP(w, r)
	})
}
