package websocket

import (
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// puller brings to a connection what its session has to say. While that is
// nothing, nobody waits: the session calls back, a goroutine says it and asks
// for what follows.
type puller struct {
	conn    *conn
	session *transport.Session
	attach  uint64        // the connection's attach number
	wait    time.Duration // an idle connection is written to this often
	// say tells the client, and reports whether to go on.
	say    func(transport.Response) (more bool)
	pinged time.Time // say's

	mu   sync.Mutex
	open transport.Pending // the pull
	gone bool              // nothing is pulled any more
}

// pull asks the session for what follows a frame.
func (p *puller) pull(after uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	ask := transport.Pull{Attach: p.attach, After: after, Wait: p.wait, Again: true}
	// No error is possible: the cursor is our own.
	p.open, _ = p.session.PullFunc(ask, func(r transport.Response) { go p.answer(r) })
}

func (p *puller) answer(r transport.Response) {
	if p.say(r) {
		p.pull(r.Last())
	}
}

// stop has the connection pull no more.
func (p *puller) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.open.Stop()
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
	if !idle && now.Sub(p.pinged) < p.wait {
		return nil
	}
	p.pinged = now
	return p.conn.ping()
}
