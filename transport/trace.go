package transport

// Trace is told what happens; nil fields are skipped. The functions are
// called without locks, concurrently, and must not block.
type Trace struct {
	SessionStarted func(*Session)
	SessionEnded   func(*Session, *Termination)
	// Answered is called for every response to a request or a pull.
	Answered func(s *Session, frames, bytes int)
	// Repeated is called when a numbered request comes again whose answer is
	// kept, or not given yet.
	Repeated func(*Session)
	// Accepted is called when frames of the client are accepted in order.
	Accepted func(s *Session, frames, bytes int)
}

// Stats are numbers of a [Manager] at one moment.
type Stats struct {
	Sessions int // live
	Ended    int // over, and remembered for late requests
}

func (t *Trace) measure(r Response) (frames, bytes int) {
	if t.Answered != nil {
		return len(r.Frames), bytesOf(r.Frames)
	}
	return 0, 0
}

func (t *Trace) answered(s *Session, frames, bytes int) {
	if t.Answered != nil {
		t.Answered(s, frames, bytes)
	}
}

func (t *Trace) accepted(s *Session, frames []Frame) {
	if t.Accepted != nil && len(frames) > 0 {
		t.Accepted(s, len(frames), bytesOf(frames))
	}
}

func (t *Trace) repeated(s *Session) {
	if t.Repeated != nil {
		t.Repeated(s)
	}
}

func bytesOf(frames []Frame) int { return sizeOf(frames) - len(frames)*frameOverhead }
