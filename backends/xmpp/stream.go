package xmpp

import (
	"context"
	"errors"
	"net"
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

	cancel context.CancelFunc // of connecting; nil before
	ready  chan struct{}      // closed when conn is there, or never will be
	done   chan struct{}      // closed when run has returned
	conn   net.Conn           // nil if none; fixed when ready is closed

	// restarting is set from the client's new <open/> to the server's header.
	restarting atomic.Bool
	// resumable says that the server keeps the XMPP session if the connection
	// is cut (XEP-0198 §5).
	resumable atomic.Bool
	// settled says that negotiation is over, so that white space is harmless.
	settled atomic.Bool

	mu    sync.Mutex // guards writing, and what follows
	ended bool       // nothing is written any more
	lost  error      // why writing failed
	alive *time.Timer
}

func newStream(ctx context.Context, r *Relay, rt *route, out *transport.Stream) *stream {
	return &stream{
		relay: r, route: rt, out: out, ctx: ctx,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
}

// Receive takes a frame of the client. It blocks until the server is
// connected to, and while the server does not read.
func (s *stream) Receive(p []byte) error {
	e, err := xmlframe.ParseElement(p, true, &s.relay.limits)
	if err != nil {
		return refused(err)
	}
	isOpen := e.Name.Is(spaceFraming, "open")
	if !s.opened && !isOpen {
		// RFC 7395 §3.4: the first frame is <open/>.
		return &transport.Termination{Condition: transport.BadRequest, Text: "the stream does not begin with <open/>"}
	}
	if isOpen {
		return s.open(e)
	}
	<-s.ready
	if s.conn == nil {
		return nil // run says why
	}
	switch {
	case e.Name.Is(spaceFraming, "close"):
		s.end()
		return nil
	case e.Name.Is(spaceStream, "stream"), e.Name.Space == spaceFraming:
		return &transport.Termination{Condition: transport.BadRequest, Text: "<" + e.Name.Local + "/> is not for a client to send"}
	case e.Name.Is(spaceTLS, "starttls"):
		return nil // RFC 7395 §3.9: TLS is not negotiated in here
	case e.Name.Is(spaceCompress, "compress"):
		// XEP-0206 §4: not relayed. XEP-0138 §3 has the answer.
		return s.out.Send(s.ctx, []byte("<failure xmlns='"+spaceCompress+"'><setup-failed/></failure>"))
	}
	return s.write(e.Raw)
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
		s.cancel = cancel
		go s.run(ctx, s.said)
		return nil
	}
	<-s.ready
	if s.conn == nil {
		return nil
	}
	s.settled.Store(false)
	s.restarting.Store(true)
	s.conn.SetReadDeadline(time.Now().Add(s.relay.opts.StreamTimeout))
	return s.write(s.said.bytes(s.route.domain, isTLS(s.conn)))
}

// write writes to the server. After the end it does nothing.
func (s *stream) write(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeLocked(p, s.relay.opts.WriteTimeout)
}

func (s *stream) writeLocked(p []byte, timeout time.Duration) error {
	if s.ended {
		return nil
	}
	s.conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := s.conn.Write(p); err != nil {
		s.ended, s.lost = true, err
		s.conn.SetReadDeadline(time.Unix(1, 0)) // wakes read
		return unreachable(s.fault(err))
	}
	if s.alive != nil {
		s.alive.Reset(s.relay.opts.KeepAlive)
	}
	return nil
}

// keepAlive writes a space (RFC 6120 §4.6.1), but not while anything is being
// negotiated (§5.3.3, §6.3.5).
func (s *stream) keepAlive() {
	if s.settled.Load() {
		s.write([]byte{' '})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.alive.Reset(s.relay.opts.KeepAlive)
	}
}

// end writes the end tag and gives the server a while to write its own. What
// comes before that still counts (RFC 6120 §4.4).
func (s *stream) end() { s.last([]byte(endTag), s.relay.opts.CloseTimeout) }

// last writes p and nothing behind it, both within the time, and has nothing
// read after it.
func (s *stream) last(p []byte, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if len(p) == 0 || s.writeLocked(p, after) == nil {
		s.ended = true
		s.conn.SetReadDeadline(time.Now().Add(after))
	}
}

// Close ends the connection; it waits for that.
func (s *stream) Close(err error) {
	if !s.opened {
		return
	}
	s.cancel()
	<-s.ready
	if s.conn != nil {
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

func (s *stream) fault(err error) *Error {
	return &Error{Stage: Stream, Domain: s.route.domain, Addr: s.conn.RemoteAddr().String(), Err: err}
}
