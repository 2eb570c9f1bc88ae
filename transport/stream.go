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
	before   *savedStream // what it is being resumed from; nil: it is not
	queue    []Frame      // accepted, not yet taken by the receiver
	draining bool         // somebody works on the queue, or Open is under way
	failed   bool         // the receiver has; only who drains uses it
	taken    uint32       // how many frames were taken before those in the queue; the low bits will do
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
	s.mu.Lock()
	err := s.addStream(st)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	r, err := s.open(ctx, st)
	if err != nil {
		t := terminationOf(err)
		st.refused(t)
		return nil, t
	}
	st.opened(r)
	return st, nil
}

// An addition is a stream that a request added, and the context for its
// backend.
type addition struct {
	ctx    context.Context
	stream *Stream
}

// add adds the stream of a request, with the lock held; what is in the way is
// told to the client as the stream's end.
func (s *Session) add(now time.Time, o *Opening, fx *effects) *Stream {
	st := &Stream{session: s, name: o.Name, target: o.Target, draining: true}
	switch err := s.addStream(st); {
	case err == nil:
		return st
	case s.machine.end == nil:
		t := &Termination{Condition: Policy, Text: "too many streams", Err: err}
		s.machine.send(now, Frame{Stream: o.Name, End: t}, fx)
	}
	return nil
}

// openAdded opens the backend of a stream that a request added.
func (s *Session) openAdded(a addition) {
	r, err := s.open(a.ctx, a.stream)
	if err != nil {
		t := terminationOf(err)
		a.stream.Close(t)
		a.stream.refused(t)
		return
	}
	a.stream.opened(r)
}

// opened begins to deliver to the receiver.
func (st *Stream) opened(r Receiver) {
	st.session.mu.Lock()
	defer st.session.mu.Unlock()
	st.receiver, st.before, st.draining = r, nil, false
	st.drainLater()
}

// refused removes a stream that has no receiver.
func (st *Stream) refused(t *Termination) {
	s := st.session
	var fx effects
	now := s.lock()
	st.closing(t)
	s.removeStream(st)
	s.machine.taken(now, sizeOf(st.queue), &fx)
	s.unlock(now, &fx)
}

// addStream registers a stream, with the lock held.
func (s *Session) addStream(st *Stream) error {
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
	s.machine.streams++
	return nil
}

// open opens a stream at the backend.
func (s *Session) open(ctx context.Context, st *Stream) (Receiver, error) {
	return s.openBackend(func() (Receiver, error) {
		return s.manager.opts.Backend.Open(streamContext{context.WithoutCancel(ctx), s}, st)
	})
}

// openBackend calls the backend; its panic is an error like another.
func (s *Session) openBackend(call func() (Receiver, error)) (r Receiver, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Termination{Condition: Internal, Err: fmt.Errorf("panic in backend: %v\n%s", p, debug.Stack())}
		}
	}()
	return call()
}

func (s *Session) removeStream(st *Stream) {
	s.streams = slices.DeleteFunc(s.streams, func(o *Stream) bool { return o == st })
	if len(s.streams) == 0 {
		s.machine.unsent = nil
	}
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

// Restored is for [Backend.Open]: it reports whether another process had the stream
// before, which may have opened it and given it frames that it is now given again.
func (st *Stream) Restored() bool {
	st.session.mu.Lock()
	defer st.session.mu.Unlock()
	return st.before != nil
}

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
			if err := s.await(ctx, untilOutbox); err != nil {
				return err
			}
		}
	}
}

// Room waits until there is room for a frame of n bytes, or the stream is over,
// or the context is done, whose error it returns. TrySend tells which, and
// whether others were faster.
func (st *Stream) Room(ctx context.Context, n int) error {
	s := st.session
	for {
		s.mu.Lock()
		if st.over() != nil || s.machine.out.fits(n+frameOverhead) {
			s.mu.Unlock()
			return nil
		}
		if err := s.await(ctx, untilOutbox); err != nil {
			return err
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
	case s.machine.streams == 1:
		s.machine.terminate(now, t, &fx)
	default:
		s.machine.send(now, Frame{Stream: st.name, End: t}, &fx)
		st.closing(t)
	}
	s.unlock(now, &fx)
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
			st.drainBy(fx)
			continue
		}
		st.closing(f.End)
		if s.machine.streams == 0 {
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
		st.session.machine.lose(t, func(r *receipt) bool { return r.stream == st.name })
		st.session.machine.streams--
		st.session.wakeThose(func(w waiter) bool { return w.until == untilOutbox }) // Send on this stream is in vain
		st.drainLater()
	}
}

func (st *Stream) drainLater() {
	if !st.draining && (len(st.queue) > 0 || st.end != nil) {
		st.draining = true
		go st.drain(false)
	}
}

// drainBy is drainLater, by the one who brought the frames, if he and the
// receiver are up to it.
func (st *Stream) drainBy(fx *effects) {
	if _, ok := st.receiver.(Trier); ok && fx.patient && fx.hand == nil && !st.draining {
		st.draining = true
		fx.hand = st
		return
	}
	st.drainLater()
}

// drain hands the queue to the receiver, without locks, and closes it at the
// end. There is at most one drain per stream, so calls never overlap. A frame
// stays in the queue until it was taken. Who is here on other business leaves to
// a goroutine what may take time. A receiver that failed gets nothing more.
func (st *Stream) drain(here bool) {
	s := st.session
	s.mu.Lock()
	for len(st.queue) > 0 {
		f, end := st.queue[0], st.end
		s.mu.Unlock()
		if here && end != nil || f.End == nil && !st.failed && !st.receive(f.Data, here) {
			go st.drain(false)
			return
		}
		st.pop(f.size())
	}
	st.queue = nil
	end := st.end
	st.draining = end != nil // for good, at the end
	s.wake()
	s.mu.Unlock()
	switch {
	case end == nil:
	case here:
		go st.closeReceiver(end)
	default:
		st.closeReceiver(end)
	}
}

// pop takes the first frame, of n bytes, out of the queue, for it was taken: there is room
// for further frames of the client. It returns with the lock held.
func (st *Stream) pop(n int) {
	s := st.session
	var fx effects
	now := s.lock()
	st.queue[0] = Frame{}
	st.queue = st.queue[1:]
	st.taken++
	s.machine.taken(now, n, &fx)
	s.unlock(now, &fx)
	s.mu.Lock()
}

// receive gives a frame to the receiver. It reports false if who is here would
// have to wait for that.
func (st *Stream) receive(p []byte, here bool) (taken bool) {
	taken, st.failed = true, true // if it panics
	defer st.session.recoverBackend()
	var err error
	if here {
		taken, err = st.receiver.(Trier).TryReceive(p)
	} else {
		err = st.receiver.Receive(p)
	}
	if st.failed = err != nil; st.failed {
		st.Close(terminationOf(err))
		return true
	}
	return taken
}

func (st *Stream) closeReceiver(end *Termination) {
	s := st.session
	defer func() {
		s.mu.Lock()
		s.removeStream(st)
		s.mu.Unlock()
	}()
	defer s.recoverBackend()
	if b, ok := st.receiver.(Bouncer); ok {
		if frames := st.unsent(); len(frames) > 0 {
			b.Bounce(frames)
		}
	}
	st.receiver.Close(end)
}

// unsent returns what the client will not get of this stream.
func (st *Stream) unsent() (frames [][]byte) {
	st.session.mu.Lock()
	defer st.session.mu.Unlock()
	left := st.session.machine.unsent
	if left == nil {
		return nil
	}
	for _, f := range *left {
		if f.Stream == st.name && f.End == nil {
			frames = append(frames, f.Data)
		}
	}
	return frames
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
