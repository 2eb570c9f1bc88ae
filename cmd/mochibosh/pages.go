package main

import (
	"io/fs"
	"net/http"

	"github.com/mochibosh/mochibosh/web"
)

// ownPolicy keeps a page from loading anything that is not of this program.
const ownPolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// pages serves files that are part of this program, under a
// Content-Security-Policy.
func pages(path string, files fs.FS, policy string) http.Handler {
	next := http.StripPrefix(path, web.Handler(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // the files change with the program
		next.ServeHTTP(w, r)
	})
}

// shared lets pages of the origins that may connect load these files, too.
func (g *gateway) shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.origins.SetHeaders(w.Header(), r)
		next.ServeHTTP(w, r)
	})
}
