package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A Manager keeps the sessions of a server: XEP-0124's connection manager.
// All methods may be called from many goroutines at once.
type Manager struct {
	opts    Options
	streams sync.WaitGroup // open streams, of all sessions
	doubt   atomic.Int64   // until when sessions have to prove whose they are, in ns since 1970

	mu       sync.RWMutex
	sessions map[string]*Session // live, and remembered
	past     []*Session          // over and remembered, oldest first
	live     int
	closed   error                 // nil: new sessions may begin
	gates    map[string]GateLoader // by protocol
	taking   map[string]*taking    // by id
}

// NewManager returns a manager without sessions. Nil options are the
// defaults.
func NewManager(opts *Options) *Manager {
	m := &Manager{opts: opts.withDefaults(), sessions: make(map[string]*Session)}
	m.opts.Budget.join(m)
	return m
}

// Create makes a session with the parameters, within the manager's limits. It
// has no stream yet. Errors: ErrTooManySessions; ErrNoMemory; the *Termination of
// a manager that was shut down, or *Suspended of one that goes away; those of
// Options.Admit.
func (m *Manager) Create(ctx context.Context, p Params) (*Session, error) {
	if m.opts.Budget.Full() {
		return nil, ErrNoMemory
	}
	release, err := m.opts.Admit(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{id: m.opts.NewID(), manager: m, release: release, saver: m.newSaver(0)}
	var fx effects
	now := s.lock()
	s.machine = newMachine(p.clamp(&m.opts.Limits), now)
	s.machine.maxAnswers = uint16(m.opts.MaxAnswers)
	if err := m.add(s); err != nil {
		s.mu.Unlock()
		s.leave()
		return nil, err
	}
	s.unlock(now, &fx)
	m.opts.Logger.InfoContext(ctx, "session started", "session", s.LogID(), "protocol", p.Protocol)
	if f := m.opts.Trace.SessionStarted; f != nil {
		f(s)
	}
	return s, nil
}

func (m *Manager) add(s *Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed != nil:
		return m.closed
	case m.live >= m.opts.MaxSessions:
		return ErrTooManySessions
	}
	m.live++
	m.sessions[s.id] = s
	return nil
}

// Lookup returns the session with this id, live or lately ended; or else it
// takes over the one that Options.Store has. Adapters serve only sessions of
// their own Params.Protocol. Errors: ErrNoSession; *Suspended; those of the store,
// such as *Owned.
func (m *Manager) Lookup(ctx context.Context, id string) (*Session, error) {
	if s := m.local(id); s != nil {
		return s, nil
	}
	if away := m.away(); away != nil {
		return nil, away
	}
	if m.opts.Store == nil {
		return nil, ErrNoSession
	}
	return m.takeOver(ctx, id)
}

// away returns the error of a manager whose sessions go on elsewhere, or nil.
func (m *Manager) away() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if _, ok := m.closed.(*Suspended); ok {
		return m.closed
	}
	return nil
}

func (m *Manager) local(id string) *Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sessions[id]
}

// Stats returns the numbers of this moment.
func (m *Manager) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{Sessions: m.live, Ended: len(m.sessions) - m.live}
}

// Shutdown refuses new sessions, ends all live ones with the condition
// Shutdown, and waits until their backends have closed every stream or the
// context is done. Late requests still learn why.
func (m *Manager) Shutdown(ctx context.Context) error {
	for _, s := range m.close(goingDown) {
		s.Terminate(goingDown)
	}
	return m.awaitStreams(ctx)
}

var goingDown = &Termination{Condition: Shutdown, Text: "the server is going down"}

// awaitStreams waits until backends have closed every stream.
func (m *Manager) awaitStreams(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		m.streams.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (m *Manager) close(why error) []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed == nil {
		m.closed = why
	}
	return m.list()
}

// all returns the sessions, live and remembered.
func (m *Manager) all() []*Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.list()
}

func (m *Manager) list() []*Session {
	all := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		all = append(all, s)
	}
	return all
}

// ended is called once for each session, when it is over.
func (m *Manager) ended(s *Session) {
	t := s.machine.end // set, and never changed again
	level := slog.LevelInfo
	if t.Err == ErrElsewhere {
		level = slog.LevelDebug // it has not
	}
	m.opts.Logger.Log(context.Background(), level, "session ended", "session", s.LogID(), "condition", string(t.Condition), "text", t.Text, "error", t.Err)
	if f := m.opts.Trace.SessionEnded; f != nil {
		f(s, t)
	}
	s.leave()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live--
	m.past = append(m.past, s)
	for len(m.past) > max(0, m.opts.MaxEnded) {
		m.remove(m.past[0])
		m.past[0], m.past = nil, m.past[1:]
	}
}

// remove takes a session out of the registry, if it is not there anew: one that went
// elsewhere may have come back. With the lock held.
func (m *Manager) remove(s *Session) {
	if m.sessions[s.id] == s {
		delete(m.sessions, s.id)
	}
}

// leave gives back what Options.Admit counted.
func (s *Session) leave() {
	if s.release != nil {
		s.release()
	}
}

// forget is called when late requests to a session need no answer any more.
func (m *Manager) forget(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(s)
	if i := slices.Index(m.past, s); i >= 0 { // mostly it is the first
		copy(m.past[1:], m.past[:i])
		m.past[0], m.past = nil, m.past[1:]
	}
}

// LogID names the session in logs: the start of a hash of its id. The id
// itself may be all that a thief needs to take part in the session, so it is
// never logged.
func (s *Session) LogID() string {
	sum := sha256.Sum256([]byte(s.id))
	return hex.EncodeToString(sum[:6])
}
