package transport

import (
	"context"
	"errors"
	"sync"
	"time"
)

// This file is for several processes that share one Store: each session is
// served by one of them, its owner, and can change owners while it lives.

// An Owned error says that another process has the session, and is there: the
// request is for that one. A [Store] returns it from Load.
type Owned struct {
	By string // the name of the process
}

// Error implements error.
func (o *Owned) Error() string { return "transport: " + o.By + " has the session" }

// A Fetcher is a Store that can ask the owner of a session to let go of it, with
// [Manager.Release]. Fetch returns when it has, or has not got it, or is found to be
// gone. Then [ReleasedBy] names it in the context of Load.
type Fetcher interface {
	Fetch(ctx context.Context, id, owner string) error
}

type releasedKey struct{}

// ReleasedBy returns who does not have the session any more that [Store].Load is asked
// for, whatever is stored; empty: nobody was asked to let go of it.
func ReleasedBy(ctx context.Context) string {
	owner, _ := ctx.Value(releasedKey{}).(string)
	return owner
}

// ErrFixed means that a session cannot go on in another process.
var ErrFixed = errors.New("transport: the session cannot go on in another process")

// maxMoves bounds how often a session is followed that others move meanwhile.
const maxMoves = 3

// Bring is Lookup, but has a session go on here that another process has, if
// Options.Store is a [Fetcher]. It is for carriers whose connection cannot be
// passed on. Errors: those of Lookup, and what the Fetcher says.
func (m *Manager) Bring(ctx context.Context, id string) (*Session, error) {
	s, err := m.Lookup(ctx, id)
	for range maxMoves {
		var owned *Owned
		f, ok := m.opts.Store.(Fetcher)
		if !ok || !errors.As(err, &owned) {
			break
		}
		if err := f.Fetch(ctx, id, owned.By); err != nil {
			return nil, err
		}
		s, err = m.Lookup(context.WithValue(ctx, releasedKey{}, owned.By), id)
	}
	return s, err
}

// Release lets go of a session, so that another process can have it go on: its
// clients are told to come back, and it is saved in Options.Store as it is then.
// Errors: ErrNoSession, if it is not here; ErrFixed; those of the store.
func (m *Manager) Release(ctx context.Context, id string) error {
	s := m.local(id)
	if s == nil || m.opts.Store == nil {
		return ErrNoSession
	}
	if s.Err() != nil {
		s.finishSaving(ctx) // else it may still be found in the store
		return ErrNoSession
	}
	if !s.movable() {
		return ErrFixed
	}
	s.leaveOff(&Suspended{After: retryAfter}, Suspension{Store: m.opts.Store})
	if err := s.settled(ctx); err != nil {
		return err
	}
	if err := settle(ctx, m.opts.Backend); err != nil {
		return err
	}
	_, err := s.moveTo(ctx, m.opts.Store)
	return err
}

// movable reports whether the session can go on elsewhere with all its streams.
func (s *Session) movable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		if !st.movable() {
			return false
		}
	}
	return s.storable()
}

// Verify looks whether sessions are still this process's, and lets go of those
// that are not; without ids, all that Options.Store has. It is for a process
// that was stopped for a while, or cut off from the others, and for one that is
// told that a session was taken over. With an error of the store it is not known
// of all; the next answer of a session tells, too. Sessions that are named are
// stored once more, which a store that is behind cannot let pass.
func (m *Manager) Verify(ctx context.Context, ids ...string) error {
	if m.opts.Store == nil {
		return nil
	}
	var sessions []*Session
	for _, id := range ids {
		if s := m.local(id); s != nil {
			sessions = append(sessions, s)
		}
	}
	find := (*Session).prove
	if len(ids) == 0 {
		sessions, find = m.all(), (*Session).verify
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slots := make(chan struct{}, verifyAtOnce)
	var all sync.WaitGroup
	for _, s := range sessions {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			if err := find(s, ctx); err != nil {
				stop(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// Doubt has each session prove with its next answer, and with those within d, that it
// is still this process's: also an answer that says nothing, which need not be stored
// else. It is for a process that was stopped or cut off, whose sessions others may
// have taken over, or still may.
func (m *Manager) Doubt(d time.Duration) { m.doubt.Store(time.Now().Add(d).UnixNano()) }

// doubtedSince reports whether what was proved then is in doubt.
func (m *Manager) doubtedSince(at time.Time) bool { return at.UnixNano() < m.doubt.Load() }

// verifyAtOnce is how many sessions the store is asked for at once: it has better to do.
const verifyAtOnce = 8

func (s *Session) verify(ctx context.Context) error {
	before := s.revision()
	if before == 0 {
		return nil // not stored yet, or over
	}
	_, revision, err := s.manager.opts.Store.Load(ctx, s.id)
	var owned *Owned
	switch {
	case errors.As(err, &owned), errors.Is(err, ErrNoSession), errors.Is(err, ErrSnapshot): // that of a later version
	case err != nil:
		return err
	case revision == before:
		return nil
	}
	return s.prove(ctx) // it may be being stored just now
}

// prove stores the session, which tells for sure whose it is, and lets go of it if it
// is another's.
func (s *Session) prove(ctx context.Context) error {
	if s.revision() == 0 {
		return nil
	}
	err := s.Stored(ctx)
	if s.revision() == 0 {
		return nil // it is not ours, or over
	}
	return err
}

// revision returns that of what is stored of the session; zero: nothing is.
func (s *Session) revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saver == nil {
		return 0
	}
	return s.saver.revision
}
