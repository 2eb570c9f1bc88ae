package transport

import "time"

// Status says how a [Session] is at one moment, in numbers: its two windows, and
// what is open.
type Status struct {
	Next       uint64 // number of the client's request that is expected next
	Window     int    // how many requests from there on are accepted
	Early      int    // requests above a gap
	EarlyBytes int    // of these
	InboxBytes int    // accepted in order, and not yet taken by backends
	MaxInbox   int    // for each of the two

	Base        uint64 // frames up to this number are acknowledged
	Last        uint64 // number of the newest frame
	OutboxBytes int    // of those between
	MaxOutbox   int
	Answers     int // kept for requests that come again

	Slots   int       // numbered requests not answered yet
	Pulling bool      // a pull is open
	Streams int       // open ones
	Quiet   time.Time // since when nothing is open; zero while something is
	Over    bool      // the session has ended
}

// InboxFull reports whether the client is held back, since backends are behind.
func (s *Status) InboxFull() bool { return s.InboxBytes >= s.MaxInbox }

// OutboxFull reports whether backends are held back, or treat the client as slow,
// since it is behind.
func (s *Status) OutboxFull() bool {
	return s.Last > s.Base && s.OutboxBytes+frameOverhead > s.MaxOutbox
}

// Status returns the numbers of this moment. It changes nothing and allocates
// nothing.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.machine
	return Status{
		Next:       m.in.next,
		Window:     int(m.in.window),
		Early:      len(m.in.early),
		EarlyBytes: m.in.parked,
		InboxBytes: m.in.pending,
		MaxInbox:   m.in.max,

		Base:        m.out.base,
		Last:        m.out.last(),
		OutboxBytes: m.out.bytes,
		MaxOutbox:   m.out.max,
		Answers:     len(m.answers),

		Slots:   len(m.slots),
		Pulling: m.cursor.id != 0,
		Streams: len(s.streams),
		Quiet:   m.quiet,
		Over:    m.end != nil,
	}
}
