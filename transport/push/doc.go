// Package push is the wire format of push.v1, and what its carriers share:
// the object that client and server exchange, its errors, and the
// [Endpoint], which creates, finds and feeds sessions. The carriers are
// transport/longpoll, transport/sse and websocket. The specification is
// docs/push-v1.md; sections cited here are its.
package push
