// Package xmpp relays sessions to XMPP servers over TCP. It is a
// [transport.Backend]: the target of a stream is the domain, its frames are
// those of RFC 7395, one complete element each.
//
//	client ──▶ Stream ──▶ stream.Receive ──▶ <open/> becomes <stream:stream>,
//	                                         <close/> becomes </stream:stream>,
//	                                         the rest travels as it is ──▶ TCP
//	client ◀── Stream.Send ◀── stream.read ◀── xmlframe.Splitter ◀──────── TCP
//
// Servers are those of Options.Routes; no request makes a [Relay] connect
// anywhere else. TLS is the relay's own matter: it is there before the client
// sees features, and the offer is taken out of them. All other negotiation,
// SASL and stream management before all, is between client and server.
//
// Nothing is serialised again, but for stanzas with prefixes that XMPP
// forbids. To what comes from the server, the declarations are added that it
// had from the server's stream header. The server's header is handed on with
// its features, and all that arrives at once at once, so that one response
// carries it.
//
// A stream costs one goroutine, from the client's first <open/> on, and a
// buffer only while there is something to read. It reads from the server as
// fast as the client's session has room, and no faster. What the client sends
// waits in the session's inbox until the server is connected to.
//
// A stream is opened in connect.go (where, and how often) and link.go (TLS and
// the first features); stream.go takes what the client sends, read.go what the
// server sends, from socket.go.
package xmpp
