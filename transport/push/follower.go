package push

import (
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A Follower brings to a connection what its session has to say. While that is
// nothing, nobody waits: the session calls back, the client is told, and what
// follows is asked for, unless the client does not read. Then that waits.
type Follower struct {
	Session *transport.Session
	Attach  uint64        // the connection's attach number
	Wait    time.Duration // an idle connection is told so this often

	// Say tells the client, and reports whether to go on. It is not called
	// twice at a time.
	Say func(transport.Response) (more bool)
	// Taken reports whether the client has taken what it was told; if not, GoOn
	// is to be called when it has. Nil: Say waits for the client itself, so it
	// gets a goroutine.
	Taken func() bool

	answered func(transport.Response) // is answer, made once and not for each pull

	mu      sync.Mutex
	open    transport.Pending // the pull
	busy    bool              // somebody says something, or asks for it
	after   uint64            // the last frame that was said
	said    transport.Response
	unsaid  bool // said is still to be said
	stalled bool // the client has not taken what was said
	gone    bool // nothing is asked for any more
}

// Begin asks for what follows a frame.
func (f *Follower) Begin(after uint64) {
	f.answered = f.answer
	f.mu.Lock()
	f.after, f.busy = after, true
	f.follow()
}

// answer is called by the session, perhaps while it is asked.
func (f *Follower) answer(r transport.Response) {
	f.mu.Lock()
	f.said, f.unsaid = r, true
	switch {
	case f.busy:
		f.mu.Unlock()
	case f.Taken == nil:
		f.busy = true
		go f.follow()
	default:
		f.busy = true
		f.follow()
	}
}

// GoOn says that the client has taken what it was told.
func (f *Follower) GoOn() {
	f.mu.Lock()
	if !f.stalled || f.busy {
		f.mu.Unlock()
		return
	}
	f.busy = true
	f.follow()
}

// Stop has the connection ask no more.
func (f *Follower) Stop() {
	f.mu.Lock()
	f.gone = true
	open := f.open
	f.mu.Unlock()
	open.Stop()
}

// follow says and asks until there is nothing to say. It is called with the
// lock held and busy set, and leaves neither.
func (f *Follower) follow() {
	for !f.gone {
		if f.unsaid {
			r := f.said
			f.said, f.unsaid = transport.Response{}, false
			f.mu.Unlock()
			more := f.Say(r)
			f.mu.Lock()
			if f.after = r.Last(); !more {
				f.gone = true
				break
			}
		}
		if f.stalled = f.Taken != nil && !f.Taken(); f.stalled || f.gone {
			break
		}
		ask := transport.Pull{Attach: f.Attach, After: f.after, Wait: f.Wait, Again: true}
		f.mu.Unlock()
		open, err := f.Session.PullFunc(ask, f.answered)
		f.mu.Lock()
		if f.open = open; f.gone {
			f.mu.Unlock()
			open.Stop()
			return // busy for good
		}
		if err != nil || !f.unsaid { // no error is possible: the cursor is our own
			break
		}
	}
	f.busy = false
	f.mu.Unlock()
}
