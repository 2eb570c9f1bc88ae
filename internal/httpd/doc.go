// Package httpd serves HTTP/1.x to handlers whose requests may wait: a request
// that is held costs no goroutine, no stack and no buffer, only what its
// connection and its session are.
//
//	accept ─▶ conn.serve (a goroutine, a buffer) ─▶ handler ─▶ answered at once ─▶ next request
//	             ▲                                     │
//	             │ readable                            │ Park: the goroutine ends
//	          poller ◀──────── waits ◀─────────────────┘
//	                                                   later: Finish, from any goroutine
//
// Handlers are those of net/http. One that knows of [Parker] gives its request
// back while it waits; one that does not keeps its goroutine, as it would with
// net/http. Connections that begin with HTTP/2, or with TLS, are for net/http.
package httpd
