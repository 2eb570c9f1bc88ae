package websocket

import "github.com/mochibosh/mochibosh/transport/push"

// DefaultCompressFrom stands for Options.CompressFrom.
const DefaultCompressFrom = 1 << 10

// Options configure a [Handler].
type Options struct {
	// Push are the options of push.v1, the same as for its other carriers.
	// MaxBody bounds one message, BodyTimeout the wait for the first one.
	//
	// XMPP goes by some of them too: MaxBody, BodyTimeout, which also bounds
	// the wait for the client's <close/>, WriteTimeout, Ping, Origins and
	// Logger.
	Push *push.Options
	// XMPP offers the subprotocol xmpp (RFC 7395). The backends then talk to
	// XMPP clients; Params.Protocol says which sessions are theirs.
	XMPP bool
	// NoPush leaves push.v1 out.
	NoPush bool
	// Compression offers permessage-deflate (RFC 7692). Each message is compressed
	// by itself, and once, however many clients get it: it pays for messages that
	// go to many, and for slow networks.
	Compression bool
	// CompressFrom is the size in bytes from which messages are compressed. Zero:
	// DefaultCompressFrom.
	CompressFrom int
}
