package websocket

import (
	"bufio"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// An idler is how a connection waits for input without a goroutine, where that
// can be done.
type idler struct {
	conn   park.Conn // nil: it cannot
	in     *bufio.Reader
	within bool         // a message was not read to its end
	heard  atomic.Int64 // when the client gave the last sign of life
}

// each calls step, which reads a message, until that says that there are no
// more to come.
func (c *conn) each(step func() (more bool)) {
	if c.idle.conn == nil {
		for step() {
		}
		return
	}
	var read func()
	read = func() {
		for c.idle.within || c.passControls() {
			if !step() {
				return
			}
			if c.idle.in.Buffered() == 0 && !c.idle.within {
				break
			}
		}
		c.idle.conn.OnReadable(read)
	}
	if c.idle.in.Buffered() > 0 || c.idle.within {
		read()
		return
	}
	c.idle.conn.OnReadable(read)
}

// passControls takes the pings and pongs that come before a message: the library
// would do that too, but then wait for the message. It reports whether there is
// something for the library, which finds fault with frames, too.
func (c *conn) passControls() bool {
	const ping, pong = 0x89, 0x8a // RFC 6455 §5.2
	c.hear(c.silence)
	for in := c.idle.in; ; {
		head, err := in.Peek(2)
		if err == park.ErrNothing {
			return false
		}
		if err != nil || head[0] != ping && head[0] != pong || head[1] < masked || head[1] > masked|shortest {
			return true
		}
		isPing, size := head[0] == ping, 6+int(head[1]&^masked)
		frame, err := in.Peek(size)
		if err != nil {
			return true
		}
		if isPing {
			c.pong(unmasked(frame))
		}
		in.Discard(size)
		if in.Buffered() == 0 {
			return false
		}
	}
}

// silent reports whether a client that nobody reads from is silent for too
// long.
func (c *conn) silent(now time.Time) bool {
	return c.idle.conn != nil && now.UnixNano()-c.idle.heard.Load() > int64(c.silence)
}
