package transport

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Session is an ordered, reliable, two-way association with one client
// that outlives connections. Carriers call it with what arrives and for what
// is owed; backends reach it through its streams. All methods may be called
// from many goroutines at once.
//
// It is a thin shell around the machine: one mutex, one timer, and no
// goroutine while nothing happens. Every entry has the same form: lock, ask
// the machine, unlock, and only then carry out what the machine decided.
type Session struct {
	id      string
	manager *Manager
	release func()                            // of Options.Admit; may be nil
	saver   *saver                            // nil: answers do not wait to be stored
	attrs   atomic.Pointer[map[string]string] // instead of those of Params; nil: unchanged

	mu        sync.Mutex
	machine   machine
	streams   []*Stream // open, or not closed by their receiver yet
	waiters   []waiter  // for room in a queue
	timer     *time.Timer
	armed     time.Time     // when the timer fires; zero: it does not
	over      bool          // the end was carried out
	told      int32         // bytes that Options.Budget knows of
	suspended *Suspended    // nil: clients are served
	forget    time.Time     // when late requests are no longer answered
	done      chan struct{} // made when first asked for
}

// ID returns the session's id: BOSH's sid.
func (s *Session) ID() string { return s.id }

// Params returns what was agreed on when the session was created, with the
// attributes as they are now.
func (s *Session) Params() Params {
	p := s.machine.params // never changes
	if a := s.attrs.Load(); a != nil {
		p.Attrs = *a
	}
	return p
}

// SetAttr changes an attribute of the session, or adds one. It is for what is
// known only later, such as who the client is.
func (s *Session) SetAttr(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attrs := maps.Clone(s.Params().Attrs) // the others may be reading them
	if attrs == nil {
		attrs = make(map[string]string, 1)
	}
	attrs[name] = value
	s.attrs.Store(&attrs)
}

// ---- the one door

func (s *Session) lock() (now time.Time) {
	s.mu.Lock()
	s.machine.squeeze(s.manager.opts.Budget.tight())
	return time.Now()
}

// unlock carries out the effects: frames to the streams' queues and the timer
// under the lock, then replies and news without it.
func (s *Session) unlock(now time.Time, fx *effects) {
	added := s.accept(now, fx)
	if len(fx.accepted)+len(fx.openings) > 0 {
		s.machine.settle(now, fx) // what no stream wanted made room
	}
	ended := s.machine.end != nil && !s.over
	if ended {
		s.finish(now)
	}
	s.arm(now)
	s.wake()
	if s.machine.receipts != nil {
		fx.receipts = s.machine.settled()
	}
	held := s.saver.hold(s, now, fx, ended)
	more := s.weigh()
	s.mu.Unlock()
	s.manager.opts.Budget.note(now, more)

	trace := s.manager.opts.Trace
	if fx.repeated {
		trace.repeated(s)
	}
	trace.accepted(s, fx.accepted)
	if !held {
		s.tell(fx.outgoing())
	}
	if ended {
		s.manager.ended(s)
	}
	for _, a := range added {
		go s.openAdded(a)
	}
	if fx.hand != nil {
		fx.hand.drain(true)
	}
}

// tell gives answers, then receipts, without the lock.
func (s *Session) tell(o outgoing) {
	s.answer(o.replies)
	s.give(o.receipts)
}

func (s *Session) answer(replies []reply) {
	trace := s.manager.opts.Trace
	for _, r := range replies {
		frames, bytes := trace.measure(r.response) // before the carrier gives the frames back
		r.to(r.response)
		trace.answered(s, frames, bytes)
	}
}

// accept gives the frames to the streams, and adds the streams that begin with
// them.
func (s *Session) accept(now time.Time, fx *effects) (added []addition) {
	openings := fx.openings
	for i := 0; i <= len(fx.accepted); i++ {
		for ; len(openings) > 0 && openings[0].before == i; openings = openings[1:] {
			if st := s.add(now, openings[0].Opening, fx); st != nil {
				added = append(added, addition{openings[0].Context, st})
			}
		}
		if i < len(fx.accepted) {
			s.deliver(now, fx.accepted[i], fx)
		}
	}
	return added
}

// finish starts what follows the end, under the lock.
func (s *Session) finish(now time.Time) {
	s.over = true
	p := &s.machine.params
	s.forget = now.Add(p.Wait + p.Inactivity)
	for _, st := range s.streams {
		st.closing(s.machine.end)
	}
	if s.done != nil {
		close(s.done)
	}
}

// arm sets the one timer to the earliest deadline. A timer that fires too
// early does no harm, so a deadline that moves later costs nothing.
func (s *Session) arm(now time.Time) {
	at, ok := s.machine.deadline()
	if s.over && (!ok || s.forget.Before(at)) {
		at, ok = s.forget, true
	}
	if !ok || !s.armed.IsZero() && !at.Before(s.armed) {
		return
	}
	s.armed = at
	if d := at.Sub(now); s.timer == nil {
		s.timer = time.AfterFunc(d, s.tick)
	} else {
		s.timer.Reset(d)
	}
}

func (s *Session) tick() {
	var fx effects
	now := s.lock()
	if s.over && !now.Before(s.forget) {
		s.mu.Unlock()
		s.manager.forget(s)
		s.leaveBudget()
		return
	}
	s.armed = time.Time{}
	s.machine.advance(now, &fx)
	s.unlock(now, &fx)
}

// refuse is how an entry ends when the session is suspended: with its lock.
func (s *Session) refuse() error {
	defer s.mu.Unlock()
	return s.suspended
}

// ---- waiting for room

// waiter is a caller that waits for something.
type waiter struct {
	ready chan struct{}
	until awaited
}

type awaited int

const (
	untilInbox   awaited = iota // has room
	untilOutbox                 // has room
	untilDrained                // receivers have taken what there was
)

// wake lets those who wait look again. Only blocked callers pay for it.
func (s *Session) wake() {
	if len(s.waiters) > 0 {
		over := s.machine.end != nil
		come := [...]bool{untilInbox: !s.machine.in.full(), untilOutbox: !s.machine.out.full(), untilDrained: !s.draining()}
		s.wakeThose(func(w waiter) bool { return over || come[w.until] })
	}
}

func (s *Session) wakeThose(ready func(waiter) bool) {
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if !ready(w) {
			return false
		}
		close(w.ready)
		return true
	})
}

// await is called with the lock held, and returns without it once it may
// have come what is waited for, or the context is done.
func (s *Session) await(ctx context.Context, until awaited) error {
	me := waiter{make(chan struct{}), until}
	s.waiters = append(s.waiters, me)
	s.mu.Unlock()
	select {
	case <-me.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool { return w == me })
	return ctx.Err()
}

// ---- numbered requests that are answered

// A Pending is a connection that waits for the response to a request or a
// pull.
type Pending struct {
	session *Session
	id      uint64
}

// Stop takes the connection off its request or pull: it is gone, or no longer
// wants the response. It reports whether the response was still to come; if
// not, the function was called or is about to be.
func (p Pending) Stop() bool {
	if p.id == 0 {
		return false
	}
	var fx effects
	now := p.session.lock()
	open := p.session.machine.cancel(now, p.id, &fx)
	p.session.unlock(now, &fx)
	return open
}

// Hurry ends the wait of the request or pull, since its connection is needed
// for something else: it is answered as soon as its turn comes, with what there
// is then, and so are the requests before it. Afterwards it has no effect.
func (p Pending) Hurry() {
	if p.id == 0 {
		return
	}
	var fx effects
	now := p.session.lock()
	p.session.machine.hurry(now, p.id, &fx)
	p.session.unlock(now, &fx)
}

// ExchangeFunc takes a numbered request; f is called once with its response,
// unless the connection is taken off it first, and then a copy of the request
// may claim its place. f may be called before ExchangeFunc returns, must not
// block, and is called without locks.
//
// A copy of an earlier request gets the same response again, or takes the
// place of the one that still waits, which is then told Replaced.
//
// Errors: ErrWindow, ErrTooManyRequests, ErrGone, ErrFull for an early request for which there
// is no room until the gap is filled, and *Suspended, all of which leave the
// session as it was; the *Termination of a session that is over and whose client was told, or
// of a request that Params.Gate refused, which ends the session.
func (s *Session) ExchangeFunc(r Request, f func(Response)) (Pending, error) {
	fx := effects{patient: true}
	now := s.lock()
	if s.suspended != nil {
		return Pending{}, s.refuse()
	}
	id, err := s.machine.exchange(now, r, f, &fx)
	s.unlock(now, &fx)
	return Pending{s, id}, s.sure(err)
}

// Exchange is ExchangeFunc for a goroutine that can wait. If the context is
// done first, its error is returned and nothing was spent on the request.
func (s *Session) Exchange(ctx context.Context, r Request) (Response, error) {
	return await(ctx, func(f func(Response)) (Pending, error) { return s.ExchangeFunc(r, f) })
}

// ---- pulls

// Attach makes n the newest attach number of the session's connections, for a
// carrier that will pull under it with Pull.Again, and whose client has all
// frames up to after.
//
// Errors: ErrReplaced for a number that is not above all before: this
// connection is late, or a copy. ErrGone and ErrAhead as for PullFunc. None
// changes anything.
func (s *Session) Attach(n, after uint64) error {
	var fx effects
	now := s.lock()
	if s.suspended != nil {
		return s.refuse()
	}
	err := s.machine.attachTo(now, n, after, &fx)
	s.unlock(now, &fx)
	return s.sure(err)
}

// PullFunc asks for the frames after a cursor; f is called once with the
// response, unless the connection is taken off first. f may be called before
// PullFunc returns, must not block, and is called without locks.
//
// Errors: ErrGone for a cursor below what was released, ErrAhead for one above
// what was sent; both leave the session as it was. The end of the session is
// no error: it is in the response.
func (s *Session) PullFunc(p Pull, f func(Response)) (Pending, error) {
	var fx effects
	now := s.lock()
	if s.suspended != nil {
		r := Response{First: p.After + 1, Later: s.suspended.After}
		s.mu.Unlock()
		f(r)
		return Pending{}, nil
	}
	p.Wait = min(p.Wait, s.machine.params.Wait)
	id, err := s.machine.pull(now, p, f, &fx)
	s.unlock(now, &fx)
	return Pending{s, id}, s.sure(err)
}

// Pull is PullFunc for a goroutine that can wait.
func (s *Session) Pull(ctx context.Context, p Pull) (Response, error) {
	return await(ctx, func(f func(Response)) (Pending, error) { return s.PullFunc(p, f) })
}

// await turns a call with a function into one that blocks.
func await(ctx context.Context, call func(func(Response)) (Pending, error)) (Response, error) {
	answered := make(chan Response, 1)
	pending, err := call(func(r Response) { answered <- r })
	if err != nil {
		return Response{}, err
	}
	select {
	case r := <-answered: // to ask the context may cost something
		return r, nil
	default:
	}
	select {
	case r := <-answered:
		return r, nil
	case <-ctx.Done():
		if pending.Stop() {
			return Response{}, context.Cause(ctx)
		}
		return <-answered, nil
	}
}

// Ack releases the frames up to n; an older acknowledgement changes nothing.
// ErrAhead: the frame was never sent.
func (s *Session) Ack(n uint64) error {
	var fx effects
	now := s.lock()
	if s.suspended != nil {
		return s.refuse()
	}
	err := s.machine.ack(now, n)
	s.unlock(now, &fx)
	return s.sure(err)
}

// ---- pushes

// Push takes messages of the client, numbered one by one from first; zero
// stands for the next number, on carriers that keep order themselves. It
// returns the highest number accepted without a gap. While backends are
// behind by the whole byte budget it waits, which holds back a carrier that
// pushes before it reads on.
//
// The slice is kept. Errors: ErrWindow; *Suspended; the context's; the *Termination of a
// session that is over. Messages before the one refused are accepted.
func (s *Session) Push(ctx context.Context, first uint64, frames []Frame) (ack uint64, err error) {
	for {
		fx := effects{patient: true}
		now := s.lock()
		if s.suspended != nil {
			return ack, s.refuse()
		}
		n, err := s.machine.push(now, first, frames, &fx)
		ack = s.machine.in.accepted()
		if err != ErrFull {
			s.unlock(now, &fx)
			return ack, s.sure(err)
		}
		if first != 0 {
			first += uint64(n)
		}
		frames = frames[n:]
		s.unlock(now, &fx)
		if err := s.awaitInbox(ctx); err != nil {
			return ack, err
		}
	}
}

func (s *Session) awaitInbox(ctx context.Context) error {
	s.mu.Lock()
	if s.machine.end != nil || !s.machine.in.full() {
		s.mu.Unlock()
		return nil
	}
	return s.await(ctx, untilInbox)
}

// ---- the end

// Terminate ends the session: open requests are answered, streams closed. Nil
// stands for a normal end by the server. Only the first call has an effect;
// it reports whether it was this one.
func (s *Session) Terminate(t *Termination) bool {
	if t == nil {
		t = &Termination{Condition: Normal}
	}
	var fx effects
	now := s.lock()
	first := s.machine.terminate(now, t, &fx)
	s.unlock(now, &fx)
	return first
}

// Done returns a channel that is closed when the session ends.
func (s *Session) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
		if s.over {
			close(s.done)
		}
	}
	return s.done
}

// Err returns nil while the session lives, then its *Termination.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machine.end == nil {
		return nil
	}
	return s.machine.end
}
