// Package bus is an event bus for sessions: topics, history, presence. It is
// a [transport.Backend] that speaks the messages of docs/bus.md, and a Go API
// ([Bus.Publish], [Bus.History], [Bus.Presence] and others), which package api
// has over HTTP.
//
//	client ──▶ Stream ──▶ client.Receive ──▶ Engine.Publish ──▶ position, history
//	                                                               │ Sink.Deliver
//	client ◀── Stream.TrySend ◀── subscription ◀── topic ◀─────────┘
//	                                 per client      queue, and a goroutine
//	                                                 while it is not empty
//
// # Positions
//
// Every message of a topic has a [Position]: the epoch names one life of the
// topic's numbers, the offset rises by one. A subscriber that comes back with
// its last position gets what it missed and is told whether that is all. Where
// something is lost for good it is told so, in `subscribed` or `dropped`;
// nothing is skipped silently.
//
// # Who does what
//
// An [Engine] numbers, keeps and hands out messages, and knows who is present;
// it may be shared by several processes. The [Bus] knows the subscribers of
// this process: it encodes a message once and gives the same bytes to all of
// them. One goroutine for each topic does that, as long as there is something
// to hand out, so each subscriber sees the order of the offsets and no
// publisher waits for subscribers, unless they are behind by Options.MaxPending.
//
// # Slow subscribers
//
// A session takes frames up to its byte budget, then [transport.ErrFull]. What
// happens next is the topic's [Policy]. A subscriber that is behind keeps
// nothing queued: it goes on from history when there is room again.
//
// # Locks
//
// topic.mu may be taken under Memory.mu and under subscription.mu, and both of
// the first under topic.opening; otherwise no lock of the package is taken
// under another. Only subscription.mu is held while a stream's
// functions run. The topic's fan-out, a follower, and the client's own Receive
// and Close take it, none of which a carrier's function can cause on its own
// goroutine; so carriers and traces may call the bus, with
// PublishOptions.NoWait.
package bus
