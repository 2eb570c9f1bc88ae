package main

// pushTraffic is what goes over a session of push.v1. Its methods are called
// one at a time.
type pushTraffic interface {
	// raw returns the n-th message of the session as it stands on the wire.
	raw(n uint64) []byte
	// ready returns how many of them may be sent by now; it never falls.
	ready() uint64
	// sent says that messages up to one were handed over.
	sent(n uint64)
	// take takes a message of the server.
	take(m []byte)
	// complete reports whether all is done, when so many were acknowledged by
	// the server, and so many came from it.
	complete(acked, got uint64) bool
}

// pushNumbered is the traffic of a client of the backend: a greeting and its
// messages up, and the backend's down.
type pushNumbered struct{ peer *peer }

func (t pushNumbered) raw(n uint64) []byte {
	if n == 1 {
		return greet(t.peer.number)
	}
	return message(n - 1)
}

func (t pushNumbered) ready() uint64 { return t.peer.up.want + 1 }

func (t pushNumbered) sent(n uint64) { t.peer.upSent.Store(max(t.peer.upSent.Load(), n-1)) }

func (t pushNumbered) take(m []byte) { t.peer.down.take(m) }

func (t pushNumbered) complete(acked, got uint64) bool {
	return acked == t.ready() && got == t.peer.down.want
}
