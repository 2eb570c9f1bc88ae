package xmpp

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

var (
	errEnded  = errors.New("the server ended the stream")
	errSilent = errors.New("no end tag of the server") // after our own
)

// connect is a goroutine as long as the stream is being opened. Reading is
// another, whose stack TLS has not made large.
func (s *stream) connect(ctx context.Context, h header) {
	l, err := s.relay.connect(ctx, s.route, h)
	gone := ctx.Err() != nil
	s.giveUp()
	if err != nil {
		if !gone {
			s.report("xmpp: no connection", err)
		}
		close(s.ready)
		s.out.Close(s.named(endOf(err)))
		close(s.done)
		return
	}
	s.link = l
	s.watch()
	close(s.ready)
	s.goOn = s.run
	go s.run()
}

// run is the goroutine of a stream, which has one as long as there is something
// to read, or, where connections cannot do without, always. At the end it says
// goodbye to both sides.
func (s *stream) run() {
	err := s.read()
	if err == park.ErrNothing {
		s.link.caller().OnReadable(s.goOn)
		return
	}
	defer close(s.done)
	s.unwatch()
	t := &transport.Termination{Condition: transport.Normal}
	if err != errEnded && err != errSilent {
		// RFC 6120 §4.9.1.1: the server is told what it did wrong.
		if text := complaint(err); text != nil {
			s.last(text, s.relay.opts.CloseTimeout)
		}
		var said *serverError
		if !errors.As(err, &said) {
			fault := s.fault(err)
			s.relay.opts.Trace.fault(fault)
			err = fault
		}
		s.report("xmpp: stream broke", err)
		t = endOf(err)
	}
	s.end() // RFC 6120 §4.4, §4.9.1.1
	s.out.Close(s.named(t))
	if err == errEnded {
		s.link.bow(s.relay.opts.CloseTimeout)
	}
	s.link.close()
	s.relay.opts.Trace.closed(s.route.domain)
}

// report logs, once, why there is no stream any more.
func (s *stream) report(what string, err error) {
	var said *serverError
	if errors.As(err, &said) {
		s.relay.opts.Logger.Info("xmpp: stream error of the server", "domain", s.route.domain, "condition", said.condition)
		s.relay.opts.Trace.serverError(s.route.domain, said)
		return
	}
	var fault *Error
	if errors.As(err, &fault) {
		s.relay.opts.Logger.Warn(what, "domain", fault.Domain, "addr", fault.Addr, "stage", fault.Stage, "error", fault.Err)
	}
}

// named gives the payload of an end the name of the stream.
func (s *stream) named(t *transport.Termination) *transport.Termination {
	for i := range t.Payload {
		t.Payload[i].Stream = s.out.Name()
	}
	return t
}

// read hands on what the server sends, until its end. All that arrives at once
// is handed on at once, and before more is read: so a client that does not
// read stops the server. A header waits for its features.
func (s *stream) read() (err error) {
	frames := s.link.opened
	s.link.opened = nil
	for {
		frames, err = s.events(frames)
		if len(frames) > 0 && (!s.opening || err != nil) {
			// When the client is gone, reading goes on for the sake of the server's
			// end tag.
			s.out.Send(s.ctx, frames...)
			frames = nil
		}
		if err == nil {
			err = s.await()
		}
		if err != nil {
			s.link.opened = frames // for the next time
			return err
		}
	}
}

// await waits until the server has sent something.
func (s *stream) await() error {
	err := s.link.read()
	if err == nil || err == park.ErrNothing {
		return err
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lost != nil:
		return s.lost
	case s.ended:
		return errSilent
	}
	return err
}

// events appends what has arrived, as frames for the client.
func (s *stream) events(frames [][]byte) ([][]byte, error) {
	for {
		if s.restarting() && beginsStream(s.link.split.Peek()) {
			// What came before still belongs to the old stream.
			s.restarted()
			s.link.split.Restart()
		}
		ev, err := s.link.split.Next()
		if err != nil || ev.Kind == xmlframe.NeedMore {
			return frames, err
		}
		var frame []byte
		switch ev.Kind {
		case xmlframe.Header:
			frame, err = s.header(ev.Header)
		case xmlframe.Stanza:
			frame, err = s.element(ev.Child)
		case xmlframe.End:
			err = errEnded
		default:
			continue
		}
		if err != nil {
			return frames, err
		}
		frames = append(frames, frame)
	}
}

// beginsStream reports whether p begins a stream, as far as it is there: no
// element inside of a stream does so.
func beginsStream(p []byte) bool {
	p = bytes.TrimLeft(p, " \t\r\n")
	if bytes.HasPrefix(p, []byte("<?")) {
		return true
	}
	end := bytes.IndexAny(p, " \t\r\n/>")
	if end < 0 {
		return false
	}
	name := bytes.TrimPrefix(p[:end], []byte("<"))
	return string(name[bytes.IndexByte(name, ':')+1:]) == "stream"
}

// header takes the server's header after a restart.
func (s *stream) header(e *xmlframe.Element) ([]byte, error) {
	if !e.Name.Is(spaceStream, "stream") {
		return nil, errProtocol
	}
	if s.opening = modern(e); !s.opening {
		s.rest()
	}
	return openFrame(e), nil
}

// element takes an element of the server.
func (s *stream) element(c *xmlframe.Child) (frame []byte, err error) {
	frame = c.AppendStandalone(nil)
	switch name := c.Name; {
	case name.Is(spaceStream, "error"):
		return nil, newServerError(frame)
	case name.Is(spaceStream, "features"):
		frame, _, err = forClients(frame, &s.relay.limits)
	case name.Is(spaceSASL, "success"):
		s.proven.Store(true)
	case name.Space == spaceClient:
		s.settled.Store(!s.restarting())
	case name.Is(spaceSM, "enabled"), name.Is(spaceSM, "resumed"):
		s.resumable.Store(name.Local == "resumed" || resumes(frame))
	}
	if s.opening {
		s.opening = false
		s.rest()
	}
	return frame, err
}

// resumes reports whether <enabled/> allows to resume (XEP-0198 §5).
func resumes(enabled []byte) bool {
	e, err := xmlframe.ParseElement(enabled, false, nil)
	if err != nil {
		return false
	}
	v, _ := e.Attr("", "resume")
	return v == "true" || v == "1"
}
