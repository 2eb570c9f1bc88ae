// Package xmlframe finds the elements in XML that arrives from outside and
// hands them on as spans of the original bytes.
//
// A relay between browsers and an XMPP server has to know where each stanza
// begins and ends, what it is called and in which namespace, and that nothing
// in it can upset the next parser. It does not have to understand the rest,
// and must not change it. So nothing here builds a tree and nothing is ever
// serialised again: a [Child] is the bytes the sender wrote, from '<' to '>'.
//
//	<body rid='1' xmlns='…'> <message>…</message> <iq>…</iq> </body>
//	└──────── Element ─────┘ └───── Child ──────┘ └─ Child ┘
//	                          AppendStandalone: the declarations
//	                          it inherited are added, no more
//
// There are three ways in, one for each carrier:
//
//   - [Parse] reads a whole document whose root only wraps others: a BOSH
//     body (XEP-0124 §6).
//   - [ParseElement] reads a message that is exactly one element: a WebSocket
//     frame (RFC 7395 §3.3.3).
//   - [Splitter] reads a stream in pieces of any size: a TCP connection
//     (RFC 6120 §4.2).
//
// All of them apply the same rules: well-formed XML 1.0 in UTF-8, well-formed
// by Namespaces in XML 1.0 too, and none of what RFC 6120 §11.1 forbids
// (comments, processing instructions, document types, entities other than the
// five predefined ones). What breaks a rule is refused with an [*Error] whose
// [Kind] says which answer is due. Depth, counts and sizes are bounded by
// [Limits]; the time taken is linear in the input and nothing recurses.
//
// Two things are stricter than the letter of XML 1.0: a character reference
// has at most ten digits, and an XML declaration at most 256 bytes. Both keep
// the work bounded when the input comes one byte at a time.
package xmlframe
