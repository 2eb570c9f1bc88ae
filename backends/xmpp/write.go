package xmpp

import (
	"crypto/tls"
	"sync"
	"time"
)

// write writes to the server. After the end it does nothing.
func (s *stream) write(p []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := time.Now()
	if s.over(now) {
		return nil
	}
	if s.link.caller() == nil {
		s.link.SetWriteDeadline(now.Add(s.relay.opts.WriteTimeout))
	}
	if _, err := s.link.Write(p); err != nil {
		s.lose(err)
		return endOf(s.fault(err))
	}
	return nil
}

// over reports whether nothing is written any more; else it puts the next
// keep-alive off.
func (s *stream) over(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote = now
	return s.ended
}

// flush waits until the server has read what was written, or until the end.
func (s *stream) flush() {
	c := s.link.caller()
	if c == nil || c.Drained() {
		return
	}
	drained := make(chan struct{})
	c.Unblock(sync.OnceFunc(func() { close(drained) }))
	if c.Drained() {
		return
	}
	select {
	case <-drained:
	case <-s.done:
	}
}

// lose notes that the server cannot be written to, and wakes read.
func (s *stream) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.lost = true, err
	s.link.SetReadDeadline(time.Unix(1, 0))
}

// end writes the end tag and gives the server a while to write its own. What
// comes before that still counts (RFC 6120 §4.4).
func (s *stream) end() { s.last([]byte(endTag), s.relay.opts.CloseTimeout) }

// last writes what is written last, and gives the server a while for its own
// end. Only the first call counts.
func (s *stream) last(p []byte, patience time.Duration) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.link.SetReadDeadline(time.Now().Add(patience))
	s.mu.Unlock()
	s.link.SetWriteDeadline(time.Now().Add(patience))
	if len(p) > 0 {
		s.link.Write(p) // if it fails, there is nobody to tell
	}
}

// watch starts the timers of a stream that is open.
func (s *stream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if every := s.relay.opts.KeepAlive; every > 0 {
		s.wrote = time.Now()
		s.alive = time.AfterFunc(every, s.keepAlive)
	}
	if conn, ok := s.link.Conn.(*tls.Conn); ok {
		until := time.Until(conn.ConnectionState().PeerCertificates[0].NotAfter)
		s.expiry = time.AfterFunc(until, s.expire)
	}
}

// unwatch stops them.
func (s *stream) unwatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, timer := range []*time.Timer{s.alive, s.expiry} {
		if timer != nil {
			timer.Stop()
		}
	}
	s.alive = nil
}

// keepAlive writes a space (RFC 6120 §4.6.1) when nothing was written for so
// long, but not while anything is being negotiated (§5.3.3, §6.3.5).
func (s *stream) keepAlive() {
	every := s.relay.opts.KeepAlive
	s.mu.Lock()
	next := every - time.Since(s.wrote)
	s.mu.Unlock()
	if next <= 0 {
		if next = every; s.settled.Load() {
			s.write([]byte{' '})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive != nil && !s.ended {
		s.alive.Reset(next)
	}
}

// expire ends the stream with the certificate it rests on (RFC 6120
// §13.7.2.3). The client may begin anew.
func (s *stream) expire() {
	s.last([]byte(ownError("reset")+endTag), s.relay.opts.CloseTimeout)
	frame := "<stream:error xmlns:stream='" + spaceStream + "'><reset xmlns='" + spaceErrors + "'/></stream:error>"
	s.out.Close(s.named(newServerError([]byte(frame)).termination()))
}
