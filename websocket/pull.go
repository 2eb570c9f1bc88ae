package websocket

import (
	"time"

	"github.com/mochibosh/mochibosh/transport/push"
)

// puller brings to a connection what its session has to say.
type puller struct {
	push.Follower
	conn   *conn
	pinged time.Time // Say's
}

func (p *puller) init(c *conn, wait time.Duration) {
	p.conn, p.Wait = c, wait
	if c.idle.conn != nil {
		p.Taken = c.idle.conn.Drained
	}
}

// begin asks for what follows a frame. From now on nobody waits for the client
// to read, if the connection can do without.
func (p *puller) begin(after uint64) {
	if p.conn.idle.conn != nil {
		p.conn.idle.conn.Unblock(p.GoOn)
	}
	p.Begin(after)
}

// keepAlive pings a client to which nothing is said, and one that is talked to
// all the time as often: it need not have anything to say itself, and its
// pongs are what it lives by.
func (p *puller) keepAlive(idle bool) error {
	now := time.Now()
	if p.conn.silent(now) {
		p.conn.close(closeGoingAway, "nothing heard")
		return errSilence
	}
	if p.pinged.IsZero() {
		p.pinged = now
	}
	if !idle && now.Sub(p.pinged) < p.Wait {
		return nil
	}
	p.pinged = now
	return p.conn.ping()
}
