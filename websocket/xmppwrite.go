package websocket

import (
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// write tells the client what the session has to say: each frame is a message,
// and all leave together.
func (x *xmpp) write(r transport.Response) (more bool) {
	x.conn.corked.cork()
	err := x.sendAll(r.Frames)
	switch {
	case err != nil:
	case r.End != nil:
		x.finish(r.End)
	default:
		err = x.keepAlive(len(r.Frames) == 0)
	}
	if flushed := x.conn.corked.uncork(); err == nil {
		err = flushed
	}
	switch {
	case err != nil:
		x.vanish()
		return false
	case len(r.Frames) > 0:
		_ = x.Session.Ack(r.Last()) // no error: they were pulled
	}
	// It is replaced by nobody: the session's id is not told to anyone.
	return r.End == nil && !r.Replaced
}

func (x *xmpp) sendAll(frames []transport.Frame) error {
	for _, f := range frames {
		if err := x.send(f.Data); err != nil {
			return err
		}
	}
	return nil
}

// send sends a frame of the backend. After a <close/> nothing follows: the
// backend has closed its side, and may hear the client to the end.
func (x *xmpp) send(frame []byte) error {
	frame = trim(frame)
	if x.ours || len(frame) == 0 {
		return nil
	}
	if element, ok := closing(frame, x.secure); ok {
		return x.part(element, closeNormal)
	}
	x.spoke = true
	if isSuccess(frame) {
		x.mayRestart.Store(true)
	}
	return x.conn.write(frame)
}

// finish tells the end of the stream, if the backend did not tell it itself.
func (x *xmpp) finish(t *transport.Termination) {
	if x.ours {
		return
	}
	element, moved := closeTo(t.URI, x.secure)
	moved = moved && t.Condition == transport.Moved
	if !moved {
		element = closeElement
	}
	var err error
	if condition := streamErrorOf(t); !moved && (condition != "" || len(t.Payload) > 0) {
		err = x.explain(t, condition)
	}
	code := closeNormal
	if errors.Is(t, errTooBig) {
		code = closeTooBig
	}
	if err == nil {
		err = x.part(element, code)
	}
	if err != nil {
		x.conn.drop()
	}
}

// explain sends why the stream ends, in messages of their own; behind an
// <open/>, if there was none (RFC 7395 §3.5). What the backend has to say last
// stands for the error, if the backend is what ended with one.
func (x *xmpp) explain(t *transport.Termination, condition streamError) error {
	if !x.spoke {
		if err := x.send(appendOpen(nil, x.to)); err != nil {
			return err
		}
	}
	for _, f := range t.Payload {
		if err := x.send(f.Data); err != nil {
			return err
		}
	}
	if condition == "" || t.Condition == transport.BackendError && len(t.Payload) > 0 {
		return nil
	}
	return x.send(appendError(nil, condition, t.Text))
}

// part sends our <close/>. The closing handshake of the WebSocket follows when
// the client's <close/> is there too, or did not come in time (RFC 7395 §3.6).
func (x *xmpp) part(element string, code int) error {
	if x.ours {
		return nil
	}
	x.spoke = true
	if err := x.conn.write([]byte(element)); err != nil {
		return err
	}
	x.parting.Lock()
	x.ours, x.code = true, code
	both := x.theirs
	if !both {
		x.giveUp = time.AfterFunc(x.opts.BodyTimeout, func() { x.conn.close(code, "") })
	}
	x.parting.Unlock()
	if both {
		x.conn.close(code, "")
	}
	return nil
}

// closed notes the client's <close/>.
func (x *xmpp) closed() {
	x.parting.Lock()
	x.theirs = true
	both, code := x.ours, x.code
	x.parting.Unlock()
	if both {
		x.conn.close(code, "")
	}
}
