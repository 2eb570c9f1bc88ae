// Package httpd serves HTTP/1.x to handlers of net/http whose requests may
// wait. A request that is held costs what its connection and its session are: no
// goroutine, no stack, no buffer.
//
//	accept ─▶ conn.serve: who polls, and a buffer ─▶ handler ─▶ answer ─▶ next request
//	             ▲                                    │
//	             │ there is something to read         │ park.Writer.Park
//	             │                                    ▼
//	          poller ◀─────── the goroutine polls on, the connection waits
//	                                                  │ Finish, from any goroutine
//	                                                  ▼
//	                                                answer ─▶ next request
//
// A handler that does not know of [park.Writer] keeps its goroutine while it
// runs, as with net/http. What begins with TLS or with HTTP/2 is net/http's.
//
// It exists for its cost: 10,000 requests held by net/http are 10,000 stacks and
// 20,000 buffers. It needs epoll: on other systems there is only net/http.
package httpd
