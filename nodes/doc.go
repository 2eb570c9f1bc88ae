// Package nodes has several processes serve each other's sessions: any request of
// any session may come to any of them. Who keeps what in common is NATS, and the
// [transport.Store] that they share; this package only knows who is there, whose
// a session is, and how a request gets to its owner.
//
//	client ─▶ node "b" ── Lookup: Owned by "a" ─▶ Node.Forward
//	                                                   │ NATS: …node.a
//	                                                   ▼
//	          node "a": Node.Handler ─▶ carrier ─▶ session
//	                                        │ what it answers, when it does
//	client ◀── node "b" ◀── NATS: …back.b ──┘
//
// # Whose a session is
//
// What is stored of a session begins with the name of its owner, and its id ends
// with the name of the node that made it. The id tells the way to sessions that are
// not stored, such as those with an XMPP server; and for all others the first
// guess. Who is asked for a session that it does not have looks in the store.
//
// # When a node dies
//
// Nodes say that they are there, each [Options.Beat]. One that has been silent for
// [Options.Timeout], or that nobody hears at NATS, is taken for dead: who is asked
// for a session of its takes it over, by storing it again with the revision that it
// found. So whatever the old owner does later, it cannot store the session any more,
// and without that it answers nothing ([transport.Options.Store]). It is told, too,
// and a node that was stopped or cut off looks through its sessions when it comes
// back.
//
// What was forwarded to it and not answered goes to whoever takes over: requests
// are safe to repeat in all protocols here.
//
// A node that is cut off from NATS takes nobody for dead, and nothing over.
package nodes
