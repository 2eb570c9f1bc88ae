// Package web holds the browser client and the console for XMPP, so that a
// server can serve them with itself.
//
// The client is an ES module without dependencies. A page says
//
//	import { connect } from '/mochi/mochi.js';
//
// where the server has
//
//	http.Handle("/mochi/", http.StripPrefix("/mochi/", http.FileServerFS(web.Client)))
package web

import (
	"embed"
	"io/fs"
)

//go:embed *.js mochi.d.ts carriers/*.js
var files embed.FS

// Client has the files of the client, mochi.js first of all, and nothing else.
var Client fs.FS = files

//go:embed xmpp
var xmppFiles embed.FS

// Console has the page that shows XMPP as it goes over the wire, index.html,
// and its modules, among them a small XMPP client. Its links are relative, so
// it may be put below any path that ends in a slash:
//
//	http.Handle("/console/", http.StripPrefix("/console/", http.FileServerFS(web.Console)))
//
// It needs nothing of a Content-Security-Policy but 'self', and no inline code.
var Console fs.FS = sub(xmppFiles, "xmpp")

func sub(files fs.FS, folder string) fs.FS {
	below, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // folder is a constant above
	}
	return below
}
