// Package web holds the browser client, the connection doctor and the console
// for XMPP, so that a server can serve them with itself.
//
// The client is an ES module without dependencies (docs/client.md). A page says
//
//	import { connect } from '/mochi/mochi.min.js';
//
// where the server has
//
//	http.Handle("/mochi/", http.StripPrefix("/mochi/", web.Handler(web.Client)))
package web

import (
	"embed"
	"io/fs"
)

//go:embed client/*.js client/*.br client/*.d.ts client/bosh/*.js client/carriers/*.js client/reload/*.js client/tabs/*.js
var clientFiles embed.FS

// Client has the files of the client: mochi.min.js, with what that loads on
// demand, all compressed with Brotli beside it (name.br, for [Handler]); and
// mochi.js, which is the same as it was written, a module to a file.
var Client fs.FS = sub(clientFiles, "client")

//go:embed doctor
var doctorFiles embed.FS

// Doctor has the page that explains what a network does to each carrier of
// push.v1, index.html, and its modules. It looks for these beside itself:
// below /push/doctor/ it tries /push, /push/sse and /push/ws.
//
//	http.Handle("/push/doctor/", http.StripPrefix("/push/doctor/", web.Handler(web.Doctor)))
//
// It needs nothing of a Content-Security-Policy but 'self', and no inline code.
var Doctor fs.FS = sub(doctorFiles, "doctor")

//go:embed admin
var adminFiles embed.FS

// Admin has the page for who operates a server of cmd/mochibosh, which answers its
// calls below /admin/api/. It needs the client beside it, at /mochi/, nothing of a
// Content-Security-Policy but 'self', and no inline code.
var Admin fs.FS = sub(adminFiles, "admin")

//go:embed xmpp
var xmppFiles embed.FS

// Console has the page that shows XMPP as it goes over the wire, index.html,
// and its modules, among them a small XMPP client. Its links are relative, so
// it may be put below any path that ends in a slash:
//
//	http.Handle("/console/", http.StripPrefix("/console/", web.Handler(web.Console)))
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
