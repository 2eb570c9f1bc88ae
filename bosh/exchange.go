package bosh

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
)

// exchange serves a request of a session.
func (h *Handler) exchange(w http.ResponseWriter, r *http.Request, req *request) {
	s, err := h.manager.Lookup(r.Context(), req.sid)
	var away *transport.Suspended
	if errors.As(err, &away) {
		h.putOff(w, askerOf(r), away.After)
		return
	}
	var owned *transport.Owned
	if errors.As(err, &owned) && h.opts.Forward != nil {
		h.opts.Forward(w, r, owned.By)
		return
	}
	if err != nil && !errors.Is(err, transport.ErrNoSession) {
		// Where the sessions are kept nobody answers: it may be there.
		h.opts.Logger.WarnContext(r.Context(), "bosh: session not found out about", "error", err)
		h.putOff(w, askerOf(r), time.Second)
		return
	}
	if err != nil || s.Params().Protocol != Protocol {
		h.violation(r, "no such session")
		h.refuse(w, r, itemNotFound)
		return
	}
	p := s.Params()
	if !isAsSecure(r, p.Attrs[attrChannel]) {
		// Ending the session would let anybody end it who has seen the sid
		// (XEP-0124 §19.1).
		h.violation(r, "request over another channel than its session was made over")
		abort()
	}
	if p.MaxPause > 0 && req.pause() > p.MaxPause {
		h.end(w, r, req, s, &transport.Termination{Condition: transport.Policy, Text: "pause too long"})
		return
	}
	ctx := r.Context()
	if req.to != "" { // it may add a stream
		if ctx, err = h.signIn(r); err != nil {
			h.end(w, r, req, s, &transport.Termination{Condition: transport.Policy, Text: "a stream is asked for with a token that is no good", Err: err})
			return
		}
	}
	late := s.Err() != nil
	to := askerOf(r)
	err = park.Hold(w, r,
		func(f func(transport.Response)) (transport.Pending, error) {
			return s.ExchangeFunc(h.inCore(ctx, req, s), f)
		},
		func(resp transport.Response) { h.respond(w, to, s, resp, late) })
	var over *transport.Termination
	switch {
	case err == nil:
	case errors.As(err, &away):
		h.putOff(w, askerOf(r), away.After)
	case errors.Is(err, transport.ErrGone):
		// The client has the answer, so this is a late copy, and nobody waits for
		// what is said to it: the session goes on. If the client has not, it takes
		// this for the end (XEP-0124 §14.3). To those who guess it looks as below.
		h.violation(r, "request whose answer is no longer kept")
		h.deny(w, r, p, itemNotFound)
	case errors.Is(err, transport.ErrWindow):
		h.end(w, r, req, s, &transport.Termination{Condition: transport.OutOfWindow, Text: "request outside the window"})
	case errors.Is(err, transport.ErrTooManyRequests): // XEP-0124 §11
		h.end(w, r, req, s, &transport.Termination{Condition: transport.Policy, Text: "too many requests at once"})
	case errors.As(err, &over):
		if by := errCulprit(0); !late && errors.As(over, &by) && uint64(by) == req.rid.value {
			h.violation(r, over.Text)
		}
		h.deny(w, r, p, lateConditionOf(over))
	default:
		// The client went away, or comes too early by more than we can keep:
		// to be repeated either way.
		abort()
	}
}

// putOff has the client repeat its request later. The session has nothing to do
// with it, so it is HTTP that says so (RFC 9110 §15.6.4).
func (h *Handler) putOff(w http.ResponseWriter, to asker, after time.Duration) {
	w.Header().Set("Retry-After", strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10))
	h.write(w, to, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("The server is restarted.\n"))
}

// inCore says in the core's words what the client wants.
func (h *Handler) inCore(ctx context.Context, req *request, s *transport.Session) transport.Request {
	p := s.Params()
	n := newNote(req)
	out := transport.Request{
		Seq:    req.rid.value,
		AckSeq: req.ackSeq(p),
		Pause:  min(req.pause(), p.MaxPause), // no pauses: an empty request like another (XEP-0124 §10)
		End:    req.terminate && req.stream == "",
		Report: h.opts.Report && p.Attrs[attrAck] != "" && req.ack.set,
		Note:   n,
	}
	switch known := &gateOf(p).streams; {
	case p.Attrs[attrStreams] == "":
		n.toAll()
		req.stream, out.End = "", req.terminate
	case req.adds(known):
		req.stream = rand.Text()
		out.Open, out.Wait = &transport.Opening{Context: ctx, Name: req.stream, Target: req.to}, -1
		n.adds(out.Open)
		if h.speaksXMPP(req.to) {
			out.Frames = []transport.Frame{req.open()}
		}
		return out
	}
	if req.restart && h.opts.XMPP != nil {
		// What comes with it is for the stream to be (XEP-0206 §5).
		req.frames = slices.Insert(req.frames, 0, req.open())
	}
	out.Frames = req.addressed()
	return out
}

func (h *Handler) speaksXMPP(to string) bool { return h.opts.XMPP != nil && h.opts.XMPP(to) }

// end ends a session by the fault of this request, which is told so; the
// others learn that it was not theirs.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, req *request, s *transport.Session, t *transport.Termination) {
	h.violation(r, t.Text)
	t.Err = errCulprit(req.rid.value)
	s.Terminate(t)
	h.deny(w, r, s.Params(), lateConditionOf(t))
}

// ackSeq returns the number up to which the client has all answers
// (XEP-0124 §9.2, §14.3). With acknowledgements, saying nothing says that it
// has them all. Without, it follows from the window: this request would not be
// there if more than Requests before it were unanswered, where the one beyond
// the window is for a pause or the end.
func (r *request) ackSeq(p transport.Params) uint64 {
	rid, behind := r.rid.value, uint64(p.Requests)+1
	switch {
	case p.Attrs[attrAck] == "":
		return rid - min(rid, behind)
	case r.ack.set:
		return min(r.ack.value, rid-1)
	}
	return rid - 1
}

// pause returns the pause asked for; zero if none. To ask for no time at all
// is to give back the requests that are held, not to end the session.
func (r *request) pause() time.Duration {
	if !r.pauseFor.set {
		return 0
	}
	return time.Duration(max(1, min(r.pauseFor.value, 65536))) * time.Second
}
