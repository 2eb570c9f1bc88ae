// Package websocket carries sessions over WebSocket, RFC 6455. What a
// connection speaks is agreed on by its subprotocol:
//
//   - push.v1, as docs/push-v1.md, section 4.3, has it;
//   - xmpp, RFC 7395, with [Options].XMPP.
//
// # XMPP
//
// A frame of the session is one XML element that stands alone, in the framing
// of RFC 7395: <open/>, stanzas, <close/>. The carrier passes the client's to
// the backend as they were written, and the backend's to the client; it opens
// the stream to whom the first <open/> names, but answering that, and all that
// XMPP is about, is for the backend.
//
//	client                    carrier                     backend
//	<open to="im.example"/> ─▶ Session.Open("im.example") ─▶ Open
//	                         ─▶ Session.Push              ─▶ Receive <open …/>
//	<open from … id …/>    ◀─ Session.PullFunc            ◀─ Stream.Send
//	  …
//	<close/>               ─▶ Push, Terminate(Normal)     ─▶ Receive, Close
//	<close/>, close 1000   ◀─ Response.End
//
// Another <open/> restarts the stream, once the backend has told of success in
// SASL; at any other time it is an error, as a connection has one stream.
//
// What the carrier says itself is the end. It is spelled as a stream error
// (RFC 6120 §4.9) and <close/>, with an <open/> in front if the backend gave
// none; transport.Moved is a <close/> with the new address. The connection is
// the session: when it is gone without <close/>, the session ends with
// transport.Inactive, so a backend can keep what the client may resume
// (XEP-0198).
//
// # Import
//
// Programs that import gorilla/websocket too may want another name for one of
// them:
//
//	import mochiws "github.com/mochibosh/mochibosh/websocket"
package websocket
