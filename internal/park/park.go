// Package park is how a handler gives its goroutine back while its request
// waits. The server of the project can do without it; net/http cannot, and then
// the handler waits itself.
package park

import "net/http"

// A Writer is a ResponseWriter whose handler may return before it has answered.
// What comes later is written from any goroutine, one at a time; writing never
// blocks.
type Writer interface {
	http.ResponseWriter

	// Park says that the answer will come. When the client goes away first,
	// events.Gone is called; when it sends another request meanwhile, which has
	// to wait for this answer, events.Behind is. Both are called once at most,
	// only after the handler has returned, and not after Finish.
	Park(events Events)
	// Unpark takes it back, before the handler returns.
	Unpark()
	// Finish ends the answer.
	Finish()

	// Flush sends what was written. The rest of what the client does not read
	// yet is kept.
	Flush()
	// Drained reports whether all that was flushed has been taken by the
	// connection. If not, events.Drained is called once it has.
	Drained() bool
}

// Events are what a parked handler may be told. Nil ones are left out. They must
// not block.
type Events struct{ Gone, Behind, Drained func() }
