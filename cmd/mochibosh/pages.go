package main

import (
	"io/fs"
	"net/http"
)

// pages serves files that are part of this program, and keeps a page among them
// from loading anything else.
func pages(path string, files fs.FS) http.Handler {
	next := http.StripPrefix(path, http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
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
