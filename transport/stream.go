package transport

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// A Stream is the association of a session with one backend; it is what the
// backend holds. All methods may be called from many goroutines at once.
type Stream struct {
	session      *Session
	name, target string

	// Guarded by the session's lock.
	receiver Receiver     // nil until Backend.Open has returned
	queue    []Frame      // accepted, not yet taken by the receiver
	draining bool         // a goroutine works on the queue, or Open is under way
	end      *Termination // no frame follows those in the queue
}

// Open opens a stream to the backend, under a name that is unique in the
// session. The context gives its values, not its end, to the backend.
//
// Errors: those of Backend.Open, always as *Termination; ErrStreamExists;
// ErrTooManyStreams; the *Termination of a session that is over. None of them
// ends the session.
func (s *Session) Open(ctx context.Context, name, target string) (*Stream, error) {
	st := &Stream{session: s, name: name, target: target, draining: true}
	if err := s.addStream(st); err != nil {
		return nil, err
	}
	r, err := s.openBackend(ctx, st)
	var fx effects
	now := s.lock()
	if err != nil {
		t := terminationOf(err)
		st.closing(t)
		s.removeStream(st)
		s.machine.taken(now, sizeOf(st.queue), &fx)
		s.unlock(now, &fx)
		return nil, t
	}
	st.receiver, st.draining = r, false
	st.drainLater()
	s.mu.Unlock()
	return st, nil
}

func (s *Session) addStream(st *Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.machine.end != nil:
		return s.machine.end
	case len(s.streams) >= s.manager.opts.MaxStreams:
		return ErrTooManyStreams
	case slices.ContainsFunc(s.streams, func(o *Stream) bool { return o.name == st.name }):
		return ErrStreamExists
	}
	s.manager.streams.Add(1)
	s.streams = append(s.streams, st)
	return nil
}

// openBackend calls the backend; its panic is an error like another.
func (s *Session) openBackend(ctx context.Context, st *Stream) (r Receiver, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Termination{Condition: Internal, Err: fmt.Errorf("panic in backend: %v\n%s", p, debug.Stack())}
		}
	}()
	return s.manager.opts.Backend.Open(streamContext{context.WithoutCancel(ctx), s}, st)
}

func (s *Session) removeStream(st *Stream) {
	s.streams = slices.DeleteFunc(s.streams, func(o *Stream) bool { return o == st })
	s.manager.streams.Done()
}

// streamContext has the values of the context that opened a stream, and the
// life of the session. It costs no goroutine, and no channel until asked.
type streamContext struct {
	context.Context
	session *Session
}

func (c streamContext) Done() <-chan struct{} { return c.session.Done() }

func (c streamContext) Err() error {
	if c.session.Err() != nil {
		return context.Canceled
	}
	return nil
}

// Session returns the session that the stream belongs to.
func (st *Stream) Session() *Session { return st.session }

// Name returns the stream's name in its session.
func (st *Stream) Name() string { return st.name }

// Target returns what the client asked for: BOSH's to, push.v1's to.
func (st *Stream) Target() string { return st.target }

// ---- towards the client

// TrySend queues frames for the client, all of them or none; one response
// carries them together, if nothing else limits it. It never blocks and makes
// no copy: they are not to be modified any more. ErrFull: the client is behind
// by the byte budget, which counts them as one frame of their size would.
// ErrStreamClosed, or the *Termination of the session: too late.
func (st *Stream) TrySend(frames ...[]byte) error {
	s := st.session
	var fx effects
	now := s.lock()
	err := st.over()
	if err == nil {
		err = s.machine.sendAll(now, st.name, frames, &fx)
	}
	s.unlock(now, &fx)
	return err
}

// Send is TrySend that takes as many frames as there is room for, waits until
// there is room for the next, and so on, until the context is done. Frames of
// others may get in where it waits; with an error, the first frames may have
// been sent.
func (st *Stream) Send(ctx context.Context, frames ...[]byte) error {
	s := st.session
	for {
		var fx effects
		now := s.lock()
		n, err := 0, st.over()
		if err == nil {
			n, err = s.machine.sendSome(now, st.name, frames, &fx)
		}
		frames = frames[n:]
		switch {
		case err != ErrFull:
			s.unlock(now, &fx)
			return err
		case n > 0:
			s.unlock(now, &fx) // what was taken may have to be answered with
		default:
			if err := s.await(ctx, true); err != nil {
				return err
			}
		}
	}
}

// over returns why nothing can be sent any more, or nil; with the lock held.
func (st *Stream) over() error {
	switch {
	case st.end == nil:
		return nil
	case st.session.machine.end != nil:
		return st.session.machine.end
	}
	return ErrStreamClosed
}

// Close ends the stream from the backend's side; nil stands for a normal end.
// What was sent before still reaches the client. With the last open stream
// the session ends, for a session without streams has no use.
func (st *Stream) Close(t *Termination) {
	if t == nil {
		t = &Termination{Condition: Normal}
	}
	s := st.session
	var fx effects
	now := s.lock()
	switch {
	case st.end != nil:
	case s.openStreams() == 1:
		s.machine.terminate(now, t, &fx)
	default:
		s.machine.send(now, Frame{Stream: st.name, End: t}, &fx)
		st.closing(t)
	}
	s.unlock(now, &fx)
}

func (s *Session) openStreams() (n int) {
	for _, st := range s.streams {
		if st.end == nil {
			n++
		}
	}
	return n
}

// ---- towards the backend

// deliver queues an accepted frame for its stream, or for all; with the lock
// held.
func (s *Session) deliver(now time.Time, f Frame, fx *effects) {
	s.machine.in.pending -= f.size() // counted again for each stream that gets it
	for _, st := range s.streams {
		if st.end != nil || f.Stream != "" && f.Stream != st.name {
			continue
		}
		st.queue = append(st.queue, f)
		s.machine.in.pending += f.size()
		if f.End == nil {
			st.drainLater()
			continue
		}
		st.closing(f.End)
		if s.openStreams() == 0 {
			s.machine.terminate(now, f.End, fx)
		} else {
			s.machine.send(now, Frame{Stream: st.name, End: f.End}, fx)
		}
	}
}

// closing marks that nothing follows what is in the queue.
func (st *Stream) closing(t *Termination) {
	if st.end == nil {
		st.end = t
		st.session.wakeThose(func(w waiter) bool { return w.outbox }) // Send on this stream is in vain
		st.drainLater()
	}
}

func (st *Stream) drainLater() {
	if !st.draining && (len(st.queue) > 0 || st.end != nil) {
		st.draining = true
		go st.drain()
	}
}

// drain hands the queue to the receiver, without locks, and closes it at the
// end. There is at most one drain per stream, so calls never overlap. A
// receiver that failed gets nothing more.
func (st *Stream) drain() {
	s := st.session
	for failed := false; ; {
		s.mu.Lock()
		batch, end := st.queue, st.end
		st.queue = nil
		if len(batch) == 0 {
			st.draining = end != nil // for good, at the end
			s.mu.Unlock()
			if end != nil {
				st.closeReceiver(end)
			}
			return
		}
		s.mu.Unlock()
		for _, f := range batch {
			if f.End == nil && !failed {
				failed = !st.receive(f.Data)
			}
			s.taken(f.size())
		}
	}
}

func (st *Stream) receive(p []byte) (ok bool) {
	defer st.session.recoverBackend()
	if err := st.receiver.Receive(p); err != nil {
		st.Close(terminationOf(err))
		return false
	}
	return true
}

func (st *Stream) closeReceiver(end *Termination) {
	s := st.session
	defer func() {
		s.mu.Lock()
		s.removeStream(st)
		s.mu.Unlock()
	}()
	defer s.recoverBackend()
	st.receiver.Close(end)
}

// taken gives room for further frames of the client.
func (s *Session) taken(n int) {
	var fx effects
	now := s.lock()
	s.machine.taken(now, n, &fx)
	s.unlock(now, &fx)
}

// recoverBackend ends the session when its backend panics: one session is
// lost, not the process.
func (s *Session) recoverBackend() {
	if p := recover(); p != nil {
		err := fmt.Errorf("panic in backend: %v", p)
		s.manager.opts.Logger.Error("backend panicked", "session", s.LogID(), "error", err, "stack", string(debug.Stack()))
		s.Terminate(&Termination{Condition: Internal, Err: err})
	}
}
