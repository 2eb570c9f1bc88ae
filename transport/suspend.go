package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file lets a server go away while its sessions go on.

// A Suspension says how [Manager.Suspend] goes about it.
type Suspension struct {
	// Store takes the sessions. Nil: Options.Store. If that is nil too, all
	// sessions end.
	Store Store
	// Spread is the time over which clients are let go, one after the other, so
	// that they do not all come back at once.
	Spread time.Duration
	// Away is how long it takes until somebody can serve them again, as far as
	// is known. Clients are asked to stay away until the last of them was let
	// go, and for so long.
	Away time.Duration
	// End tells how a session ends that cannot go on. Nil: with the condition
	// Shutdown.
	End func(*Session) *Termination
}

// Suspend refuses new sessions, lets go of the clients, and saves all sessions
// whose backends can suspend them: the next process has them go on with
// [Manager.Restore]. The others end. It returns how many are saved, once their
// backends have closed every stream, or the context is done. From then on
// requests get a *Suspended error.
func (m *Manager) Suspend(ctx context.Context, o Suspension) (saved int, err error) {
	if o.Store == nil {
		o.Store = m.opts.Store
	}
	if o.End == nil {
		o.End = func(*Session) *Termination { return goingDown }
	}
	away := &Suspended{After: max(o.Spread+o.Away, time.Millisecond)}
	why := error(away)
	if o.Store == nil {
		why = goingDown
	}
	all := m.close(why)
	began := time.Now()
	all = slices.DeleteFunc(all, func(s *Session) bool { return s.Err() != nil })
	for i, s := range all {
		if d := time.Until(began.Add(o.Spread * time.Duration(i) / time.Duration(len(all)))); d > 0 {
			if err := sleep(ctx, d); err != nil {
				o.Spread = 0 // no time for that
			}
		}
		s.leaveOff(away, o)
	}
	for _, s := range all {
		err = errors.Join(err, s.settled(ctx))
	}
	err = errors.Join(err, settle(ctx, m.opts.Backend))
	for _, s := range all {
		switch done, e := s.moveTo(ctx, o.Store); {
		case e != nil:
			err = errors.Join(err, fmt.Errorf("session %s: %w", s.LogID(), e))
		case done:
			saved++
		}
	}
	return saved, errors.Join(err, m.awaitStreams(ctx))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaveOff lets go of the client, for good if the session cannot go on.
func (s *Session) leaveOff(away *Suspended, o Suspension) {
	var lost []*Stream
	s.mu.Lock()
	able := o.Store != nil && s.storable()
	for _, st := range s.streams {
		if !st.movable() {
			lost = append(lost, st)
		}
	}
	s.mu.Unlock()
	if !able {
		s.Terminate(o.End(s))
		return
	}
	for _, st := range lost {
		st.Close(o.End(s))
	}
	var fx effects
	now := s.lock()
	s.suspended = away
	s.machine.letGo(now, away.After, &fx)
	s.unlock(now, &fx)
}

// letGo answers all connections: the client is to repeat their requests later.
// Of numbered requests that took effect the place is kept.
func (m *machine) letGo(now time.Time, after time.Duration, fx *effects) {
	if m.end != nil {
		return
	}
	if m.cursor.id != 0 {
		fx.reply(m.cursor.reply, Response{First: m.cursor.seq + 1, Ack: m.in.accepted(), Later: after})
		m.cursor = held{}
	}
	kept := m.slots[:0]
	for _, s := range m.slots {
		fx.reply(s.reply, Response{Seq: s.seq, First: m.sent + 1, Ack: m.in.accepted(), Later: after})
		if s.id, s.reply = 0, nil; m.arrived(&s) {
			kept = append(kept, s)
		}
	}
	clear(m.slots[len(kept):])
	m.slots = kept
	m.in.drop()
	m.quiet, m.grace = now, max(m.grace, after+m.params.Inactivity)
}

// settled waits until the session's backends have taken what the client sent.
// From here on there is room for all that they answer.
func (s *Session) settled(ctx context.Context) error {
	s.mu.Lock()
	s.machine.out.max = maxInt
	s.wake()
	for s.suspended != nil && s.machine.end == nil && s.draining() {
		if err := s.await(ctx, untilDrained); err != nil {
			return err
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}

const maxInt = int(^uint(0) >> 1)

// draining reports whether somebody is at a stream's queue; with the lock held.
func (s *Session) draining() bool {
	for _, st := range s.streams {
		if st.draining {
			return true
		}
	}
	return false
}

// moveTo saves the session, which then ends here.
func (s *Session) moveTo(ctx context.Context, store Store) (saved bool, err error) {
	if s.suspended == nil {
		return false, nil // it ended
	}
	s.finishSaving(ctx)
	var snap []byte
	s.freeze(func(now time.Time, streams []savedStream) {
		if s.machine.end != nil {
			return
		}
		s.machine.out.max = s.machine.params.MaxOutbox
		snap = s.snapshot(streams, now)
	})
	if snap == nil {
		return false, nil
	}
	rev := uint64(0)
	if store == s.manager.opts.Store {
		rev = s.giveUpStored()
	}
	_, err = store.Save(ctx, s.id, snap, rev)
	s.goElsewhere()
	return err == nil, err
}

// goElsewhere ends the session here only. Its client is told nothing but to come
// back.
func (s *Session) goElsewhere() {
	var fx effects
	now := s.lock()
	if s.suspended == nil {
		s.suspended = &Suspended{After: retryAfter}
	}
	s.machine.letGo(now, s.suspended.After, &fx)
	s.unlock(now, &fx)
	s.Terminate(&Termination{Condition: Moved, Text: "it goes on in another process", Err: ErrElsewhere})
	s.manager.forget(s)
	s.leaveBudget()
}

// freeze calls f with the session's lock held, while no backend sends on a
// stream, so that session and streams fit together.
func (s *Session) freeze(f func(now time.Time, streams []savedStream)) {
	for done := false; !done; {
		s.mu.Lock()
		streams := append([]*Stream(nil), s.streams...)
		receivers := make([]Receiver, len(streams))
		before := make([]*savedStream, len(streams))
		for i, st := range streams {
			receivers[i], before[i] = st.receiver, st.before
		}
		s.mu.Unlock()
		saved := make([]savedStream, len(streams))
		received := make([]uint64, len(streams))
		var within func(i int)
		within = func(i int) {
			if i < len(streams) {
				saved[i] = savedStream{name: streams[i].name, target: streams[i].target}
				switch r := receivers[i].(type) {
				case nil:
					saved[i].state = streamUnopened
					if b := before[i]; b != nil { // it is still being resumed
						saved[i].state, saved[i].token = b.state, b.token
					}
				case Suspender:
					r.Suspend(func(token []byte, n uint64) {
						saved[i].state, saved[i].token, received[i] = streamSuspended, token, n
						within(i + 1)
					})
					return
				}
				within(i + 1)
				return
			}
			now := s.lock()
			defer s.mu.Unlock()
			if done = s.stillHas(streams, receivers); !done {
				return
			}
			open := saved[:0]
			for i, st := range streams {
				if st.end == nil || len(st.queue) > 0 {
					saved[i].queue, saved[i].taken = st.notReceived(received[i])
					open = append(open, saved[i])
				}
			}
			f(now, open)
		}
		within(0)
	}
}

// stillHas reports whether the streams are those; with the lock held.
func (s *Session) stillHas(streams []*Stream, receivers []Receiver) bool {
	if len(streams) != len(s.streams) {
		return false
	}
	for i, st := range s.streams {
		if st != streams[i] || (st.receiver == nil) != (receivers[i] == nil) {
			return false
		}
	}
	return true
}

// notReceived returns what the receiver still has to get, of which it says that
// it has n, and how many frames were before; with the lock held.
func (st *Stream) notReceived(n uint64) (queue []Frame, taken uint64) {
	if uint32(n) == st.taken+1 && len(st.queue) > 0 {
		return st.queue[1:], uint64(st.taken + 1) // it has the one that it is given right now
	}
	return st.queue, uint64(st.taken)
}
