// Package websocket carries sessions over WebSocket, RFC 6455: push.v1 as
// docs/push-v1.md, section 4.3, has it.
//
// Programs that import gorilla/websocket too may want another name for one of
// them:
//
//	import mochiws "github.com/mochibosh/mochibosh/websocket"
package websocket
