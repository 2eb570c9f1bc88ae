// Package transport is the session core: an ordered, reliable, two-way stream
// between one client and one or more backends, which outlives any single HTTP
// request or socket. It knows no wire format.
//
//	client ══ HTTP, WebSocket ══▶ carrier (an http.Handler: bosh, websocket, longpoll, sse)
//	                                │ Exchange, Push, Ack    ▲ Response
//	                                ▼                        │ to Exchange, Pull
//	                         ┌─ Session ─────────────────────┴─┐
//	                         │ inbox: request numbers, window  │  one mutex, one timer,
//	                         │ slots: requests not answered    │  no goroutine while idle
//	                         │ outbox: frame numbers, replay   │
//	                         └─────┬───────────────────▲───────┘
//	                               │ Receiver.Receive  │ Stream.Send
//	                               ▼                   │
//	                         Backend (a bus, an XMPP relay, yours)
//
// # Two numbered lines
//
// A [Session] is two counters and two queues. The inbox puts the numbered
// requests of the client in order; the outbox numbers the frames for the
// client and keeps them until they are acknowledged. Both acknowledgements are
// cumulative, and both lines outlive connections: that is all of the
// reliability. BOSH's rid and ack, the cursor of a long poll, SSE's event id
// and the count of a WebSocket are four spellings of it:
//
//   - [Session.Exchange] takes a numbered request and answers it, in order,
//     when there is something to say or its wait is over; a copy of the
//     request gets the same answer again. BOSH needs no more than this.
//   - [Session.Push] takes messages and [Session.Pull] asks for the frames after
//     a cursor. Of several pulls the newest wins, so a session moves from one
//     connection to another, of whatever kind, by pulling there.
//
// Carriers call the session; it never calls a carrier, it only completes what
// the carrier began. So backpressure is free: who writes slowly asks slowly.
//
// # Guarantees
//
// While a session lives, frames of one stream arrive once and in order, both
// ways, whatever happens to connections. No call of the client is processed
// twice. When a session ends, both sides learn why ([Termination]), late
// requests included. Every queue has a byte budget. No lock is held while a
// backend, a carrier's function or a [Trace] function runs.
//
// # Inside
//
// The machine (machine.go, numbered.go, cursor.go, settle.go, inbox.go,
// outbox.go) is pure: the time is passed in, effects are returned. [Session] is
// its shell: lock, clock, one timer. A carrier that can park connections uses [Session.ExchangeFunc] and
// [Session.PullFunc], which need no goroutine while they wait.
package transport
