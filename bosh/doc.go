// Package bosh carries sessions over plain HTTP as XEP-0124 defines it, BOSH,
// for any payload, and for XMPP as XEP-0206 does.
//
//	POST ─▶ origin ─▶ body ─▶ <body sid rid …> ─▶ create or exchange ─▶ transport.Session
//	                                                                       │ Response
//	200  ◀──────────────────── <body …> ◀──── payloads, condition ◀────────┘
//
// A [Handler] is an http.Handler that keeps nothing between two requests but
// what is in the session: the rid is transport.Request.Seq, the window is
// transport.Params.Requests, and the rest of the negotiation is in
// transport.Params.Attrs; what keys and polls are judged by hangs on
// transport.Params.Gate. So every answer can be made again, byte for byte,
// from the session alone.
//
// # Payloads
//
// A frame of the session is one XML element or one JSON value. The element
//
//	<json xmlns='urn:xmpp:json:0'>{"op":"subscribe","topic":"news"}</json>
//
// of XEP-0335 stands for the JSON value in it, both ways, so that a backend
// gets the same bytes from a BOSH client as from one of push.v1. Any other
// element is passed on as it was written, with the namespace declarations that
// it needs to stand alone.
//
// What the creation said besides is for backends to read, in
// transport.Params.Attrs: "from", "lang" (xml:lang) and "route", where they were
// there, as the client wrote them. Nothing was checked: from is a claim, and to
// connect to any route is to let clients connect through the server to whatever
// it can reach. The handler itself makes no use of them.
//
// # XMPP
//
// Options.XMPP says which targets are XMPP domains. To a backend, a stream to
// one of them is the same as over a WebSocket (RFC 7395): it begins with an
// <open/>, a restart is another one, and the server's own begins with one too.
// What that says goes into attributes of <body/> (XEP-0206 §4). Payloads of
// clients that leave the namespace out are in jabber:client (§2).
//
// # Several streams
//
// A session may have streams to several backends (XEP-0124 §16), XMPP domains
// or not; they share the window, and each has its own name, restarts and end. A
// request without a name speaks to all of them; a restart without one is
// refused while there are several. Clients that know nothing of this do not
// notice it.
//
// # Errors
//
// Whenever a <body/> can be sent, the status is 200 and the error is in the
// <body/>: XEP-0124 §2 wants it readable by clients that see nothing else. A
// request that cannot be parsed harms no session and uses up no rid. One that
// breaks the rules on rids ends its session: it is told why, and the requests
// held at that time are told other-request.
package bosh
