package transport

import (
	"context"
	"errors"
	"time"
)

// Gates has the gates of a protocol's sessions be restored by the loader. An
// adapter whose sessions have gates calls it for its manager.
func (m *Manager) Gates(protocol string, l GateLoader) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gates == nil {
		m.gates = make(map[string]GateLoader)
	}
	m.gates[protocol] = l
}

func (m *Manager) gateLoader(protocol string) GateLoader {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.gates[protocol]
}

// Restore has a session go on that was saved, with this revision in
// Options.Store; zero: it is not there. Its streams are resumed. Options.Admit
// is not asked, and MaxSessions does not count: the session is there already.
//
// Errors: ErrSnapshot, ErrConflict for one that is here, and that of a manager
// that was shut down.
func (m *Manager) Restore(ctx context.Context, id string, snapshot []byte, revision uint64) (*Session, error) {
	s := &Session{id: id, manager: m, saver: m.newSaver(revision)}
	machine, saved, err := decodeSnapshot(snapshot, m.gateLoader, time.Now())
	if err != nil {
		return nil, err
	}
	now := s.lock()
	s.machine = machine
	s.machine.maxAnswers = uint16(m.opts.MaxAnswers)
	for i, st := range saved {
		s.streams = append(s.streams, &Stream{
			session: s, name: st.name, target: st.target, before: &saved[i], queue: st.queue, taken: uint32(st.taken), draining: true,
		})
		s.machine.in.pending += sizeOf(st.queue)
	}
	s.machine.streams = uint16(len(saved))
	streams := s.streams
	if err := m.put(s); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	var fx effects
	s.unlock(now, &fx)
	m.opts.Logger.DebugContext(ctx, "session restored", "session", s.LogID(), "protocol", machine.params.Protocol)
	if f := m.opts.Trace.SessionStarted; f != nil {
		f(s)
	}
	for i, st := range streams {
		if err := s.reopen(ctx, st, &saved[i]); err != nil {
			s.putBack(streams[i:])
			return nil, err
		}
	}
	return s, nil
}

// putBack leaves a session in the store that could not be resumed: the streams from
// here on have no receivers.
func (s *Session) putBack(streams []*Stream) {
	s.giveUpStored()
	s.goElsewhere()
	for _, st := range streams {
		st.refused(&Termination{Condition: Moved, Err: ErrElsewhere})
	}
}

// put registers a session that was restored.
func (m *Manager) put(s *Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed != nil:
		return m.closed
	case m.sessions[s.id] != nil:
		return ErrConflict
	}
	m.streams.Add(len(s.streams))
	m.live++
	m.sessions[s.id] = s
	return nil
}

// reopen gives a stream its receiver again. If that fails, the stream ends; with the
// error *Suspended it can be tried again, elsewhere or here.
func (s *Session) reopen(ctx context.Context, st *Stream, saved *savedStream) error {
	r, err := s.openBackend(func() (Receiver, error) {
		switch ctx := (streamContext{context.WithoutCancel(ctx), s}); saved.state {
		case streamSuspended:
			return resume(ctx, s.manager.opts.Backend, st, saved.token)
		case streamUnopened:
			return s.manager.opts.Backend.Open(ctx, st)
		}
		return nil, &Termination{Condition: Unreachable, Text: "the stream could not be moved"}
	})
	var away *Suspended
	switch {
	case err == nil:
		st.opened(r)
		return nil
	case errors.As(err, &away) && s.saver != nil:
		return away
	}
	t := terminationOf(err)
	st.Close(t)
	st.refused(t)
	return nil
}

// A taking is a session that is being taken over.
type taking struct {
	done    chan struct{} // closed when the rest is there
	session *Session
	err     error
}

// takeOver brings a session here that another process had. Of several requests
// for it, one does.
func (m *Manager) takeOver(ctx context.Context, id string) (*Session, error) {
	m.mu.Lock()
	if s := m.sessions[id]; s != nil {
		m.mu.Unlock()
		return s, nil
	}
	t, busy := m.taking[id]
	if !busy {
		t = &taking{done: make(chan struct{})}
		if m.taking == nil {
			m.taking = make(map[string]*taking)
		}
		m.taking[id] = t
	}
	m.mu.Unlock()
	if busy {
		select {
		case <-t.done:
			return t.session, t.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	t.session, t.err = m.takeStored(context.WithoutCancel(ctx), id)
	m.mu.Lock()
	delete(m.taking, id)
	m.mu.Unlock()
	close(t.done)
	return t.session, t.err
}

// takeStored has the session go on here that the store has.
func (m *Manager) takeStored(ctx context.Context, id string) (s *Session, err error) {
	for range maxMoves {
		var snapshot []byte
		var revision uint64
		if snapshot, revision, err = m.opts.Store.Load(ctx, id); err != nil {
			return nil, err
		}
		// Whoever had it cannot store it any more.
		if revision, err = m.opts.Store.Save(ctx, id, snapshot, revision); err == nil {
			return m.Restore(ctx, id, snapshot, revision)
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		// It was not gone, or somebody else was faster: Load tells who.
	}
	return nil, err
}
