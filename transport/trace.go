package transport

// Trace is told what happens; nil fields are skipped. The functions are
// called without locks, concurrently, and must not block.
type Trace struct {
	SessionStarted func(*Session)
	SessionEnded   func(*Session, *Termination)
	// Answered is called for every response to a request or a pull.
	Answered func(s *Session, frames, bytes int)
	// Accepted is called when frames of the client are accepted in order.
	Accepted func(s *Session, frames, bytes int)
}

// Stats are numbers of a [Manager] at one moment.
type Stats struct {
	Sessions int // live
	Ended    int // over, and remembered for late requests
}

func (t *Trace) answered(s *Session, r Response) {
	if t.Answered != nil {
		t.Answered(s, len(r.Frames), bytesOf(r.Frames))
	}
}

func (t *Trace) accepted(s *Session, frames []Frame) {
	if t.Accepted != nil && len(frames) > 0 {
		t.Accepted(s, len(frames), bytesOf(frames))
	}
}

func bytesOf(frames []Frame) int { return sizeOf(frames) - len(frames)*frameOverhead }
