package xmpp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A stream is one client's stream to its server: a transport.Receiver.
type stream struct {
	relay *Relay
	route *route
	out   *transport.Stream // to the client
	ctx   context.Context

	// Only Receive uses these.
	opened bool
	said   header // in the client's last <open/>
	early  []byte // sent after <success/>, before the new <open/>

	ready chan struct{} // closed when link is there, or never will be
	done  chan struct{} // closed when the stream has ended on both sides
	link  *link         // nil if none; fixed when ready is closed
	goOn  func()        // is run; made once

	// opening is set from the server's header to its features. Only read uses it.
	opening bool
	// proven is set from the server's <success/> to the client's new <open/>.
	proven atomic.Bool
	// resumable says that the server keeps the XMPP session if the connection
	// is cut (XEP-0198 §5).
	resumable atomic.Bool
	// settled says that negotiation is over, so that white space is harmless.
	settled atomic.Bool

	writing sync.Mutex // one writer at a time

	mu       sync.Mutex         // guards what follows; never held while something waits
	cancel   context.CancelFunc // of connecting; nil before and afterwards
	ended    bool               // nothing is written any more
	lost     error              // why writing failed
	restarts int                // new headers that the server has not answered
	wrote    time.Time
	alive    *time.Timer
	expiry   *time.Timer
}

func newStream(ctx context.Context, r *Relay, rt *route, out *transport.Stream) *stream {
	return &stream{
		relay: r, route: rt, out: out, ctx: ctx,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
}

// TryReceive implements transport.Trier.
func (s *stream) TryReceive(p []byte) (bool, error) {
	select {
	case <-s.ready:
	default:
		return false, nil
	}
	if s.link == nil {
		return true, nil
	}
	if c := s.link.caller(); c == nil || !c.Drained() {
		return false, nil
	}
	return true, s.take(p)
}

// Receive takes a frame of the client. It blocks until the server's features
// are there, and while the server does not read.
func (s *stream) Receive(p []byte) error {
	if s.opened {
		<-s.ready
		if s.link == nil {
			return nil // connect says why
		}
		s.flush()
	}
	return s.take(p)
}

func (s *stream) take(p []byte) error {
	name, raw, err := xmlframe.CheckElement(p, true, &s.relay.limits)
	if err != nil {
		return refused(err)
	}
	isOpen := name.Is(spaceFraming, "open")
	if !s.opened && !isOpen {
		// RFC 7395 §3.4: the first frame is <open/>.
		return &transport.Termination{Condition: transport.BadRequest, Text: "the stream does not begin with <open/>"}
	}
	if isOpen {
		e, err := xmlframe.ParseElement(p, true, &s.relay.limits)
		if err != nil {
			return refused(err)
		}
		return s.open(e)
	}
	switch {
	case name.Is(spaceFraming, "close"):
		s.end()
		return nil
	case name.Is(spaceStream, "stream"), name.Space == spaceFraming:
		return &transport.Termination{Condition: transport.BadRequest, Text: "<" + name.Local + "/> is not for a client to send"}
	case name.Is(spaceTLS, "starttls"):
		return nil // RFC 7395 §3.9: TLS is not negotiated in here
	case name.Is(spaceCompress, "compress"):
		// XEP-0206 §4: not relayed. XEP-0138 §3 has the answer.
		return s.out.TrySend([]byte("<failure xmlns='" + spaceCompress + "'><setup-failed/></failure>"))
	case s.proven.Load():
		return s.keep(unprefixed(raw))
	}
	return s.write(unprefixed(raw))
}

// keep has what comes too early wait for the client's new <open/>: between
// <success/> and a new header, a server expects nothing (RFC 6120 §6.4.6).
func (s *stream) keep(p []byte) error {
	if len(s.early)+len(p) > s.relay.opts.MaxEarly {
		return &transport.Termination{Condition: transport.Policy, Text: "too much was sent before the stream was restarted"}
	}
	s.early = append(s.early, p...)
	return nil
}

// open begins the stream, or restarts it on the same connection, without an
// end tag (RFC 6120 §4.3.3). Wherever the client wants to, the server stays
// the one of the route.
func (s *stream) open(e *xmlframe.Element) error {
	if from, ok := e.Attr("", "from"); ok {
		s.said.from = from
	}
	if lang := e.Lang(); lang != "" {
		s.said.lang = lang // XEP-0206 §5: else that of the header before
	}
	if !s.opened {
		s.opened = true
		ctx, cancel := context.WithCancel(s.ctx)
		s.mu.Lock()
		s.cancel = cancel
		s.mu.Unlock()
		go s.connect(ctx, s.said)
		return nil
	}
	s.restart()
	p := append(s.said.bytes(s.route.domain, isTLS(s.link.Conn)), s.early...)
	s.early = nil
	return s.write(p)
}

// restart notes that the server owes a header and features.
func (s *stream) restart() {
	s.settled.Store(false)
	s.proven.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts++
	s.deadline(s.relay.opts.StreamTimeout)
}

// restarting reports whether the server owes a header.
func (s *stream) restarting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts > 0
}

// restarted notes that the server has begun to answer one restart, and still
// owes the features.
func (s *stream) restarted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts--
	s.deadline(s.relay.opts.StreamTimeout)
}

// rest lets the server take its time, unless it owes an answer.
func (s *stream) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restarts == 0 {
		s.deadline(0)
	}
}

// deadline bounds the wait for the server, with the lock held; zero is for
// ever. At the end, other bounds hold.
func (s *stream) deadline(d time.Duration) {
	switch {
	case s.ended:
	case d == 0:
		s.link.SetReadDeadline(time.Time{})
	default:
		s.link.SetReadDeadline(time.Now().Add(d))
	}
}

// Close ends the connection; it waits for that.
func (s *stream) Close(err error) {
	if !s.opened {
		return
	}
	s.giveUp()
	<-s.ready
	if s.link != nil {
		var t *transport.Termination
		if vanished := errors.As(err, &t) && !t.ByClient && t.Condition != transport.Normal; vanished && s.resumable.Load() {
			// XEP-0198 §7: an end tag would end the XMPP session too.
			s.last(nil, 0)
		} else {
			s.end()
		}
	}
	<-s.done
}

// giveUp ends connecting. That costs memory as long as it can be given up.
func (s *stream) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
}

func (s *stream) fault(err error) *Error {
	return &Error{Stage: Stream, Domain: s.route.domain, Addr: s.link.RemoteAddr().String(), Err: err}
}
