// Package park is how a handler gives its goroutine back while its request, or
// its connection, waits. The server of the project can do without it; net/http
// cannot, and then the handler waits itself.
package park

import (
	"errors"
	"net"
	"net/http"
)

// A Writer is a ResponseWriter whose handler may return before it has answered.
// What comes later is written from any goroutine, one at a time; writing never
// blocks.
type Writer interface {
	http.ResponseWriter

	// Park says that the answer will come. Header begins anew: what was set
	// before is part of the answer, and not to be set again.
	Park(events Events)
	// Unpark takes it back, before the handler returns.
	Unpark()
	// Finish ends the answer. Calls after the first have no effect.
	Finish()

	// Flush sends what was written. The rest of what the client does not read
	// yet is kept.
	Flush()
	// Drained reports whether all that was flushed has been taken by the
	// connection. If not, Events.Drained is called once it has.
	Drained() bool
}

// Events are what the handler of a parked request may be told, after it has
// returned and before Finish. Each is called in a goroutine of its own. Nil ones
// are left out.
type Events struct {
	Gone    func() // the client went away; once
	Behind  func() // the client sent another request, which waits for this answer; once
	Drained func() // see Writer.Drained
}

// ErrNothing says that there is nothing to read, now.
var ErrNothing = errors.New("park: nothing there")

// A Conn is a hijacked connection that can be waited on without a goroutine.
type Conn interface {
	net.Conn

	// OnReadable has f called once, in a goroutine of its own, when there is
	// something to read, or the connection is at its end or closed. Meanwhile
	// nobody reads. It may turn out that there is nothing: then the next Read does
	// not wait, but returns ErrNothing.
	OnReadable(f func())

	// Unblock has Write take everything at once. What the client does not read
	// yet is kept, for as long as the write deadline allows, or else the server.
	// It had better not become much: drained is called, in a goroutine of its
	// own, when all was taken, and Close waits for that.
	Unblock(drained func())
	// Drained reports whether all that was written has been taken by the
	// connection.
	Drained() bool
}

// A Caller is a connection that was made here. Its Write takes everything at
// once, as after Unblock.
type Caller interface {
	Conn

	// TryRead is Read, but never waits. OnReadable also calls when the read
	// deadline is over.
	TryRead(p []byte) (int, error)
}
