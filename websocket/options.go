package websocket

import "github.com/mochibosh/mochibosh/transport/push"

// Options configure a [Handler].
type Options struct {
	// Push are the options of push.v1, the same as for its other carriers.
	// MaxBody bounds one message, BodyTimeout the wait for the first one.
	Push *push.Options
	// Compression offers permessage-deflate (RFC 7692). It costs memory and
	// CPU for each message, and pays for large ones only.
	Compression bool
}
