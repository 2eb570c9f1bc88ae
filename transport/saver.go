package transport

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A saver has every answer of a session wait until the session is stored as it
// was when the answer was made: what a client was told is never taken back. While
// one snapshot is being stored, what is answered waits for the next, together.
//
// Nil stands for no store. All is guarded by the session's lock.
type saver struct {
	revision uint64 // in the store; zero: it is not there, or not ours
	busy     bool   // a goroutine stores, and goes on while there is something
	waiting  outgoing
	ack      uint64        // what is stored of the inbox
	at       time.Time     // when that began to be stored
	lost     bool          // another process has the session
	idle     chan struct{} // closed when nobody is busy; nil: nobody waits for that
}

func (m *Manager) newSaver(revision uint64) *saver {
	if m.opts.Store == nil {
		return nil
	}
	return &saver{revision: revision}
}

// retryAfter is when clients are to come back whose session could not be stored.
const retryAfter = time.Second

// storeAgain is how often a session is stored whose client only asks and is told
// nothing: a Store may forget what nobody stores for much longer.
const storeAgain = 10 * time.Minute

// hold takes the answers, with the session's lock held. It reports false if
// they need not wait. Ended has the session be deleted.
func (v *saver) hold(s *Session, now time.Time, fx *effects, ended bool) bool {
	if v == nil || fx.n+len(fx.receipts) == 0 && !ended || !s.storable() && v.revision == 0 && !v.busy {
		return false
	}
	if !ended && !v.busy && v.revision > 0 && now.Sub(v.at) < storeAgain && !s.manager.doubtedSince(v.at) && v.saysNothing(fx) {
		return false
	}
	v.waiting.add(fx.outgoing())
	if !v.busy {
		v.busy = true
		go s.store()
	}
	return true
}

// saysNothing reports whether the answers tell clients nothing that they did not
// know and that is not stored: that a wait is over, or a connection not the
// newest any more.
func (v *saver) saysNothing(fx *effects) bool {
	if fx.must || len(fx.receipts) > 0 {
		return false
	}
	for _, r := range fx.replies() {
		r := &r.response
		if r.Seq != 0 || len(r.Frames) > 0 || r.End != nil || r.Ack > v.ack {
			return false
		}
	}
	return true
}

// storable reports whether the session can go on elsewhere, and one of its
// streams at least; with the lock held.
func (s *Session) storable() bool {
	p := &s.machine.params
	if _, ok := p.Gate.(SavedGate); !ok && p.Gate != nil || p.Fleeting {
		return false
	}
	return slices.ContainsFunc(s.streams, (*Stream).movable)
}

// movable reports whether the stream can go on elsewhere; with the lock held.
func (st *Stream) movable() bool {
	_, ok := st.receiver.(Suspender)
	return ok || st.receiver == nil
}

// store stores and answers as long as there is something.
func (s *Session) store() {
	v := s.saver
	for {
		var snap []byte
		var out outgoing
		over, revision, ack := false, uint64(0), uint64(0)
		s.freeze(func(now time.Time, streams []savedStream) {
			out, v.waiting = v.waiting, outgoing{}
			revision, ack = v.revision, s.machine.in.accepted()
			over = s.machine.end != nil
			if over && errors.Is(s.machine.end, ErrElsewhere) {
				out.elsewhere()
				out.replies = notServed(out.replies) // of before, and not stored
				// What was on its way when it left may have been stored since: whoever
				// goes on with it needs that.
				v.revision, revision = 0, 0
			}
			if !over && !out.empty() && (s.storable() || revision > 0) {
				snap = s.snapshot(streams, now)
			}
			if out.empty() && !(over && revision > 0) {
				v.rest()
			}
		})
		switch {
		case over && revision > 0:
			if !s.deleteStored() {
				out.replies = notServed(out.replies)
			}
		case snap != nil:
			s.storeAs(snap, revision, ack, out)
			continue
		case out.empty():
			return
		}
		s.tell(out)
	}
}

// rest says that nobody is busy; with the lock held.
func (v *saver) rest() {
	v.busy = false
	if v.idle != nil {
		close(v.idle)
		v.idle = nil
	}
}

func (s *Session) storeAs(snap []byte, revision, ack uint64, out outgoing) {
	began := time.Now()
	next, err := s.manager.opts.Store.Save(context.Background(), s.id, snap, revision)
	if err == nil {
		s.mu.Lock()
		if !s.saver.lost {
			s.saver.revision, s.saver.ack, s.saver.at = next, ack, began
		}
		s.mu.Unlock()
		s.tell(out)
		return
	}
	s.manager.opts.Logger.Error("session not stored", "session", s.LogID(), "error", err)
	out.replies = notServed(out.replies) // it may not be true
	if errors.Is(err, ErrConflict) {
		out.elsewhere()
		s.tell(out)
		s.lose()
		return
	}
	out.receipts = s.later(out.receipts)
	s.tell(out)
}

// notServed has clients repeat their requests.
func notServed(replies []reply) []reply {
	for i, r := range replies {
		replies[i].response = Response{Seq: r.response.Seq, First: r.response.First, Later: retryAfter}
	}
	return replies
}

// lose lets go of a session that another process has.
func (s *Session) lose() {
	s.mu.Lock()
	s.saver.lost = true
	s.mu.Unlock()
	s.giveUpStored()
	s.goElsewhere()
}

// deleteStored deletes a session that is over. It reports false if it was not this
// process's any more: then it is not over, but goes on elsewhere.
func (s *Session) deleteStored() bool {
	revision := s.giveUpStored()
	err := s.manager.opts.Store.Delete(context.Background(), s.id, revision)
	if err != nil {
		s.manager.opts.Logger.Error("session not deleted", "session", s.LogID(), "error", err)
	}
	if !errors.Is(err, ErrConflict) {
		return true
	}
	s.mu.Lock()
	s.saver.lost = true
	s.mu.Unlock()
	s.manager.forget(s)
	s.leaveBudget()
	return false
}

// sure returns the error that a client is to be told. What a process knows that was
// stopped or cut off may be out of date: before it refuses something for the
// session's sake, it finds out whether the session is still its own. If not, or if
// that cannot be found out, the client is to come back.
func (s *Session) sure(err error) error {
	if err == nil || s.saver == nil {
		return err
	}
	var over *Termination
	switch {
	case err == ErrFull, err == ErrReplaced:
		return err // it says nothing of what the client has
	case errors.As(err, &over):
		s.finishSaving(context.Background())
	case s.revision() > 0:
		if later := s.Stored(context.Background()); later != nil {
			return later
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saver.lost {
		return &Suspended{After: retryAfter}
	}
	return err
}

// giveUpStored says that what the store has is not ours to change any more, and
// returns its revision.
func (s *Session) giveUpStored() (revision uint64) {
	if s.saver != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		revision, s.saver.revision = s.saver.revision, 0
	}
	return revision
}

// Stored waits until all that has happened in the session up to now is stored,
// for carriers that acknowledge something by other means than a Response.
// Without a Store it returns at once. Error: *Suspended, if it could not be
// stored.
func (s *Session) Stored(ctx context.Context) error {
	if s.saver == nil {
		return nil
	}
	r, err := await(ctx, func(f func(Response)) (Pending, error) {
		fx := effects{must: true}
		fx.reply(f, Response{})
		s.unlock(s.lock(), &fx)
		return Pending{}, nil
	})
	if err == nil && r.Later > 0 {
		return &Suspended{After: r.Later}
	}
	return err
}

// finishSaving waits until nobody stores the session.
func (s *Session) finishSaving(ctx context.Context) {
	if s.saver == nil {
		return
	}
	s.mu.Lock()
	var idle chan struct{}
	if s.saver.busy {
		if s.saver.idle == nil {
			s.saver.idle = make(chan struct{})
		}
		idle = s.saver.idle
	}
	s.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
		}
	}
}
