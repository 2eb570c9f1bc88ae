// Package web holds the browser client, so that a server can serve it with itself.
//
// It is an ES module without dependencies. A page says
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
