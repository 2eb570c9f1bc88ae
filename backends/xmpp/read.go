package xmpp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

func isTLS(c net.Conn) bool {
	_, ok := c.(*tls.Conn)
	return ok
}

// run is the goroutine of a stream: it connects, then reads until the end.
func (s *stream) run(ctx context.Context, h header) {
	defer close(s.done)
	conn, err := s.relay.connect(ctx, s.route, h)
	s.cancel() // it costs a goroutine as long as it is not called
	s.conn = conn
	if err != nil {
		s.conn = nil
		close(s.ready)
		s.out.Close(s.named(unreachable(err)))
		return
	}
	defer conn.Close()
	if every := s.relay.opts.KeepAlive; every > 0 {
		s.mu.Lock()
		s.alive = time.AfterFunc(every, s.keepAlive)
		s.mu.Unlock()
		defer s.alive.Stop()
	}
	err = s.write(h.bytes(s.route.domain, isTLS(conn)))
	close(s.ready)
	if err == nil {
		err = s.read()
	}
	s.finish(err)
}

// finish says goodbye to both sides; nil is the clean end of the server.
func (s *stream) finish(err error) {
	var t *transport.Termination
	switch {
	case err == nil, errors.Is(err, errSilent):
		t = &transport.Termination{Condition: transport.Normal}
	case errors.As(err, &t):
	default:
		// RFC 6120 §4.9.1.1: the server is told what it did wrong.
		if condition := complaint(err); condition != "" {
			s.last([]byte("<stream:error><"+condition+" xmlns='"+spaceErrors+"'/></stream:error>"+endTag), s.relay.opts.CloseTimeout)
		}
		t = unreachable(s.fault(err))
		s.relay.opts.Logger.Warn("xmpp: stream broke", "domain", s.route.domain, "error", err)
	}
	s.end() // RFC 6120 §4.4, §4.9.1.1
	s.out.Close(s.named(t))
}

// named gives the payload of an end the name of the stream.
func (s *stream) named(t *transport.Termination) *transport.Termination {
	for i := range t.Payload {
		t.Payload[i].Stream = s.out.Name()
	}
	return t
}

// complaint is the stream error that a server deserves for what it sent.
func complaint(err error) string {
	switch kind := xmlframe.KindOf(err); {
	case errors.Is(err, errProtocol):
		return "invalid-xml"
	case kind == 0, kind == xmlframe.Incomplete:
		return ""
	case kind == xmlframe.Restricted:
		return "restricted-xml"
	case kind.Limit():
		return "policy-violation"
	}
	return "not-well-formed"
}

// errSilent means that the connection ended after our own end tag.
var errSilent = errors.New("no end tag of the server")

// read hands on what the server sends, until its end. Each event is handed on
// before more is read, so a client that does not read stops the server.
func (s *stream) read() error {
	split := xmlframe.Splitter{Limits: &s.relay.limits}
	waiting := true // for the server to open its stream
	var piece []byte
	for {
		undecided := false
		for {
			if s.restarting.Load() && split.Held() <= len(piece) {
				// What the server had sent before it saw our new header still
				// belongs to the old stream.
				is, known := beginsStream(piece[len(piece)-split.Held():])
				if !known {
					undecided = true
					break
				}
				if is {
					waiting = true
					s.restarting.Store(false)
					split.Restart()
				}
			}
			ev, err := split.Next()
			if err != nil {
				return err
			}
			if ev.Kind == xmlframe.End {
				return nil
			}
			if ev.Kind == xmlframe.NeedMore {
				break
			}
			if ev.Kind != xmlframe.Space {
				if waiting, err = s.handle(ev); err != nil {
					return err
				}
			}
		}
		more, err := s.receive(waiting || s.restarting.Load())
		if err != nil {
			return err
		}
		if split.Feed(more); undecided {
			more = append(bytes.Clone(piece[len(piece)-split.Held()+len(more):]), more...)
		}
		piece = more
	}
}

// receive reads from the connection; the server may take its time only when
// it has opened its stream.
func (s *stream) receive(hurry bool) ([]byte, error) {
	s.mu.Lock()
	if !s.ended {
		var deadline time.Time
		if hurry {
			deadline = time.Now().Add(s.relay.opts.StreamTimeout)
		}
		s.conn.SetReadDeadline(deadline)
	}
	s.mu.Unlock()
	buf := make([]byte, 4096) // a new one each time: an undecided one is still in use
	n, err := s.conn.Read(buf)
	if n > 0 {
		return buf[:n], nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lost != nil:
		err = s.lost
	case s.ended:
		err = errSilent
	}
	return nil, err
}

// beginsStream reports whether p begins a stream, as far as that is known.
func beginsStream(p []byte) (is, known bool) {
	p = bytes.TrimLeft(p, " \t\r\n")
	if bytes.HasPrefix(p, []byte("<?")) {
		return true, true
	}
	end := bytes.IndexAny(p, " \t\r\n/>")
	if end < 0 {
		return false, len(p) > 64
	}
	name := bytes.TrimPrefix(p[:end], []byte("<"))
	return string(name[bytes.IndexByte(name, ':')+1:]) == "stream", true
}

// handle hands on one event, and reports whether more is due soon.
func (s *stream) handle(ev xmlframe.Event) (waiting bool, err error) {
	if ev.Kind == xmlframe.Header {
		if !ev.Header.Name.Is(spaceStream, "stream") {
			return false, errProtocol
		}
		// RFC 6120 §4.7.5: without a version, features never come.
		_, modern := ev.Header.Attr("", "version")
		return modern, s.send(openFrame(ev.Header))
	}
	name, frame := ev.Child.Name, ev.Child.AppendStandalone(nil)
	switch {
	case name.Is(spaceStream, "error"):
		return false, streamError(s.out.Name(), frame)
	case name.Is(spaceStream, "features"):
		var offered offer
		if frame, offered, err = withoutTLS(frame, &s.relay.limits); err != nil {
			return false, err
		}
		if !isTLS(s.conn) && (offered.required || offered.only) {
			// RFC 6120 §5.3.1, §4.3.2: TLS is a must, and empty features would
			// say that negotiation is complete.
			return false, unreachable(&Error{Stage: TLS, Domain: s.route.domain, Err: errors.New("the server insists on TLS")})
		}
	case name.Space == spaceClient:
		s.settled.Store(!s.restarting.Load())
	case name.Is(spaceSM, "enabled"), name.Is(spaceSM, "resumed"):
		s.resumable.Store(name.Local == "resumed" || resumes(frame))
	}
	return false, s.send(frame)
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

// send waits for room in the session. When nobody is there any more, reading
// goes on for the sake of the server's end tag.
func (s *stream) send(frame []byte) error {
	s.out.Send(s.ctx, frame)
	return nil
}
