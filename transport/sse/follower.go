package sse

import (
	"sync"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
)

// A follower writes a stream whose handler has returned. Who has something to
// say to the session writes it here, too. Then the next pull is made, unless the
// client does not read: that waits until it does, and so does what comes.
type follower struct {
	*stream
	w park.Writer

	mu      sync.Mutex
	open    transport.Pending // the pull
	busy    bool              // somebody writes
	said    transport.Response
	unsaid  bool // said is still to be written
	stalled bool // the client has not read what was written
	gone    bool
}

func (f *follower) begin(first transport.Response) {
	f.w.Park(park.Events{Gone: f.leave, Drained: f.goOn})
	f.busy = true
	if f.write(first, true); isLast(first) {
		f.w.Finish()
		return
	}
	f.mu.Lock()
	f.after(first)
	f.follow()
}

// after keeps of a response what the next pull goes by.
func (f *follower) after(r transport.Response) { f.said = transport.Response{First: r.Last() + 1} }

// answer is called by the session, also while it is asked.
func (f *follower) answer(r transport.Response) {
	f.mu.Lock()
	f.said, f.unsaid = r, true
	if f.busy {
		f.mu.Unlock()
		return
	}
	f.busy = true
	f.follow()
}

// goOn is called when the client has read what was written.
func (f *follower) goOn() {
	f.mu.Lock()
	if !f.stalled || f.busy {
		f.mu.Unlock()
		return
	}
	f.stalled, f.busy = false, true
	f.follow()
}

// follow writes and pulls until there is nothing to say. It is called with the
// lock held and busy set, and leaves both.
func (f *follower) follow() {
	defer f.mu.Unlock()
	for {
		if f.unsaid {
			f.unsaid = false
			if f.write(f.said, false); isLast(f.said) {
				f.w.Finish()
				return // busy for good
			}
			f.after(f.said)
		}
		if f.stalled = !f.w.Drained(); f.stalled || f.gone {
			break
		}
		pull := f.next(f.said)
		f.mu.Unlock()
		open, err := f.session.PullFunc(pull, f.answer)
		f.mu.Lock()
		if err != nil {
			f.w.Finish()
			return
		}
		if f.open = open; f.gone {
			f.open.Stop()
		}
		if !f.unsaid {
			break
		}
	}
	f.busy = false
}

// leave is called when the client is gone.
func (f *follower) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	f.open.Stop()
}
