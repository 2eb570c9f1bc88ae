package bosh

import (
	"slices"
	"sync"

	"github.com/mochibosh/mochibosh/transport"
)

// streams are those of one session (XEP-0124 §16), as far as requests and
// answers name them. A session that never has a second one needs no names.
type streams struct {
	mu      sync.Mutex
	several bool // a second one was added, some time
	known   []namedStream
}

type namedStream struct {
	name, target string
	closed       bool
}

// maxClosed is how many closed streams are remembered: what is still on the
// way to one of them is dropped, what names any other ends the session
// (XEP-0124 §16.4).
const maxClosed = 32

func (s *streams) add(name, target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.several = len(s.known) > 0
	s.known = append(s.known, namedStream{name: name, target: target})
}

// first returns the name of the first stream.
func (s *streams) first() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[0].name
}

// close marks a stream as closed, and forgets one that has been for long.
func (s *streams) close(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	closed := 0
	for i := range s.known {
		if s.known[i].name == name {
			s.known[i].closed = true
		}
		if s.known[i].closed {
			closed++
		}
	}
	if closed > maxClosed {
		oldest := slices.IndexFunc(s.known, func(st namedStream) bool { return st.closed })
		s.known = slices.Delete(s.known, oldest, oldest+1)
	}
}

// has reports whether there is a stream of that name, or was lately.
func (s *streams) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.known, func(st namedStream) bool { return st.name == name })
}

// toOne reports whether an open stream has this target.
func (s *streams) toOne(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.known, func(st namedStream) bool { return !st.closed && st.target == target })
}

// areSeveral reports whether answers must name the stream of what they carry.
func (s *streams) areSeveral() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.several
}

// adds reports whether a request adds a stream (XEP-0124 §16.3). Some clients
// write to in every request; of an empty one to a target that there is a
// stream to already, the version tells (XEP-0206 §4) that it is meant.
func (r *request) adds(s *streams) bool {
	return r.to != "" && r.stream == "" && len(r.frames) == 0 &&
		!r.terminate && !r.pauseFor.set && !r.restart &&
		(r.xmppVersion != "" || !s.toOne(r.to))
}

// addressed names the stream in what a request says, once its content is
// known: the frames, and the end of one stream.
func (r *request) addressed() []transport.Frame {
	frames := r.frames
	if r.stream == "" {
		return frames // to all of them
	}
	for i := range frames {
		frames[i].Stream = r.stream
	}
	if r.terminate {
		end := &transport.Termination{Condition: transport.Normal, ByClient: true}
		frames = append(frames, transport.Frame{Stream: r.stream, End: end})
	}
	return frames
}
