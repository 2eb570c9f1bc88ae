package transport

import (
	"cmp"
	"slices"
)

// A receipt tells a backend whether the client has acknowledged a frame.
type receipt struct {
	frame  uint64
	stream string
	err    error // set: it will not come to that here
	done   func(error)
}

// receipts are those that frames of a session still wait for, in the order of
// the frames. Nil stands for none, as most sessions have. Each belongs to a frame
// that the outbox has, or had: so its budget bounds them, too.
type receipts struct {
	waiting []receipt
	lost    bool // some have an error
}

// TrySendFunc is TrySend of one frame, and tells what becomes of it. It returns
// the frame's number in the session, for [Stream.AckedFunc].
//
// Unless there is an error, done is called exactly once: with nil when the client
// has acknowledged the frame; with the *Termination of the session, or of the
// stream, if that was over before, and then nobody knows whether the client has
// it; with one that is ErrElsewhere if the session goes on in another process,
// which has the frame. It may be called before TrySendFunc returns, must not
// block, and is called without the session's locks, by whoever brought the
// acknowledgement.
//
// A client acknowledges as its protocol has it. In BOSH without acknowledgements
// it does by its requests, for they say which answers it must have; over a
// WebSocket of RFC 7395, which knows none, a frame counts when it is written.
// With Options.Store, nil is told when the acknowledgement is stored.
func (st *Stream) TrySendFunc(p []byte, done func(err error)) (frame uint64, err error) {
	s := st.session
	var fx effects
	now := s.lock()
	if err = st.over(); err == nil {
		err = s.machine.sendAll(now, st.name, [][]byte{p}, &fx)
	}
	if err == nil {
		frame = s.machine.out.last()
		s.machine.promise(receipt{frame: frame, stream: st.name, done: done})
	}
	s.unlock(now, &fx)
	return frame, err
}

// AckedFunc asks for the receipt of a frame sent before, with the number that
// TrySendFunc returned: for a stream that was resumed (see [Resumer]), whose
// frames the process before has sent. Done is called as TrySendFunc does it; with
// ErrAhead if there never was such a frame.
func (st *Stream) AckedFunc(frame uint64, done func(err error)) {
	s := st.session
	var fx effects
	now := s.lock()
	r := receipt{frame: frame, stream: st.name, done: done}
	if r.err = st.over(); r.err == nil && frame > s.machine.out.last() {
		r.err = ErrAhead
	}
	s.machine.promise(r)
	s.unlock(now, &fx)
}

// promise notes a receipt.
func (m *machine) promise(r receipt) {
	if m.receipts == nil {
		m.receipts = new(receipts)
	}
	w := &m.receipts.waiting
	i, _ := slices.BinarySearchFunc(*w, r.frame+1, func(o receipt, n uint64) int { return cmp.Compare(o.frame, n) })
	*w = slices.Insert(*w, i, r)
	m.receipts.lost = m.receipts.lost || r.err != nil
}

// lose notes that the client acknowledges no more than it has by now, of one
// stream or of all. It comes before frames are let go for another reason than that.
func (m *machine) lose(why error, of func(*receipt) bool) {
	if m.receipts == nil {
		return
	}
	for i := range m.receipts.waiting {
		r := &m.receipts.waiting[i]
		if r.err == nil && r.frame > m.out.base && of(r) {
			r.err, m.receipts.lost = why, true
		}
	}
}

// settled takes out the receipts that are to be given.
func (m *machine) settled() (given []receipt) {
	w := m.receipts.waiting
	n := 0
	for n < len(w) && (w[n].frame <= m.out.base || w[n].err != nil) {
		n++
	}
	given = w[:n:n]
	if w = w[n:]; m.receipts.lost {
		given = slices.Clone(given)
		w = slices.DeleteFunc(w, func(r receipt) bool {
			if r.err != nil {
				given = append(given, r)
			}
			return r.err != nil
		})
	}
	if m.receipts.waiting, m.receipts.lost = w, false; len(w) == 0 {
		m.receipts = nil
	}
	return given
}

// elsewhere has the other process give the receipts: what was acknowledged here may
// not be stored.
func (o *outgoing) elsewhere() {
	for i := range o.receipts {
		if o.receipts[i].err == nil {
			o.receipts[i].err = ErrElsewhere
		}
	}
}

// later has receipts for what could not be stored wait until something can, and
// returns the others.
func (s *Session) later(all []receipt) (others []receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range all {
		if r.err != nil {
			others = append(others, r)
		} else {
			s.machine.promise(r)
		}
	}
	return others
}

// give tells the backends, without locks.
func (s *Session) give(all []receipt) {
	for i := range all {
		s.giveOne(&all[i])
	}
}

func (s *Session) giveOne(r *receipt) {
	defer s.recoverBackend()
	r.done(r.err)
}
