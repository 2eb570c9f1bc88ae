package bosh

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// Protocol names our sessions; those of other carriers do not exist here.
const Protocol = "bosh"

// What the negotiation leaves in transport.Params.Attrs.
const (
	attrTo      = "to"      // the target
	attrVersion = "ver"     // the lower of both sides' versions; empty: the client named none
	attrContent = "content" // Content-Type of all answers
	attrFrom    = "from"    // who the client says that it is
	attrLang    = "lang"    // its language
	attrRoute   = "route"   // where it would have its server be
	attrAck     = "ack"     // not empty: acknowledgements are used
	attrStreams = "streams" // not empty: streams have names, so there may be several
	attrXMPP    = "xmpp"    // not empty: the target is an XMPP domain
	attrChannel = "channel" // what it was created over; empty: in clear
)

// create makes a session and answers at once, with the payloads that the
// backend sent while it was opened (XEP-0124 §7).
func (h *Handler) create(w http.ResponseWriter, r *http.Request, req *request) {
	if req.to == "" {
		req.to = h.opts.DefaultTo
	}
	if req.to == "" {
		h.violation(r, "no target")
		h.refuse(w, r, improperAddressing)
		return
	}
	p := h.negotiate(r, req)
	g := &gate{polling: h.opts.Polling, repeats: h.opts.Repeats}
	p.Gate = g
	ctx, err := h.signIn(r)
	if err != nil {
		h.notSignedIn(w, r, p, err)
		return
	}
	s, err := h.manager.Create(ctx, p)
	if err != nil {
		h.notCreated(w, r, p, err)
		return
	}
	p = s.Params() // within the manager's limits
	g.polls, g.requests = polls(p), p.Requests
	name := ""
	if p.Attrs[attrStreams] != "" {
		name = rand.Text()
	}
	g.streams.add(name, req.to)
	if _, err := s.Open(ctx, name, req.to); err != nil {
		h.notOpened(w, r, s, err)
		return
	}
	req.stream = ""
	first := transport.Request{
		Seq:    req.rid.value,
		Frames: req.frames,
		Wait:   -1,
		End:    req.terminate,
		Note:   newNote(req),
	}
	if p.Attrs[attrXMPP] != "" {
		first.Frames = slices.Insert(first.Frames, 0, req.open())
		if h.opts.OpeningWait > 0 {
			first.Wait = h.opts.OpeningWait // the relay sends <open/> and features together
			if p.Wait > 0 {
				first.Wait = min(first.Wait, p.Wait)
			}
		}
	}
	resp, err := s.Exchange(r.Context(), first)
	if err != nil { // the client went away, and nobody else knows the session
		s.Terminate(nil)
		abort()
	}
	h.respond(w, askerOf(r), s, resp, false)
}

// negotiate grants what was asked for, within the options.
func (h *Handler) negotiate(r *http.Request, req *request) transport.Params {
	asked := int(min(req.hold.or(DefaultHold), 255)) // an unsignedByte
	p := transport.Params{
		Protocol:   Protocol,
		FirstSeq:   req.rid.value,
		Wait:       min(time.Duration(min(req.wait.or(65535), 65535))*time.Second, h.opts.Wait),
		Hold:       min(asked, h.opts.Hold),
		Requests:   min(asked+1, h.opts.Requests), // by what was asked, not granted: XEP-0124 §7.2
		Inactivity: h.opts.Inactivity,
		MaxPause:   h.opts.MaxPause,
		OneStream:  true,
		Attrs: map[string]string{
			attrTo:      req.to,
			attrVersion: req.ver.lower(),
			attrContent: h.opts.contentType(req.content),
		},
	}
	p.Hold = min(p.Hold, p.Requests-1)
	if h.opts.Polling > 0 && polls(p) && p.Inactivity > 0 {
		// Longer by more than the pause between polls: XEP-0124 §12.
		p.Inactivity = wholeSeconds(p.Inactivity + 2*h.opts.Polling)
	}
	if !h.opts.NoStreams {
		p.Attrs[attrStreams] = "1"
	}
	if h.speaksXMPP(req.to) {
		p.Attrs[attrXMPP] = "1"
	}
	if req.ack.set && req.ack.value > 0 {
		p.Attrs[attrAck] = "1"
	}
	for name, value := range map[string]string{attrFrom: req.from, attrLang: req.lang, attrRoute: req.route} {
		if value != "" {
			p.Attrs[name] = strings.Clone(value)
		}
	}
	if channel := channelOf(r); channel != "" {
		p.Attrs[attrChannel] = channel
	}
	p.Attrs = h.agreed.share(p.Attrs)
	return p
}

// polls reports whether a session has nothing held (XEP-0124 §12).
func polls(p transport.Params) bool { return p.Wait == 0 || p.Hold == 0 }

// notCreated answers when the manager refuses. Here the status tells more than
// a condition could: clients come back after a 503 of a full server, and give
// up at a 429, which is for those that have too many sessions.
func (h *Handler) notCreated(w http.ResponseWriter, r *http.Request, p transport.Params, err error) {
	var away *transport.Suspended
	if errors.As(err, &away) {
		h.putOff(w, askerOf(r), away.After)
		return
	}
	var t *transport.Termination
	if errors.As(err, &t) {
		h.deny(w, r, p, conditionOf(t))
		return
	}
	status, after := http.StatusServiceUnavailable, "10"
	if errors.Is(err, transport.ErrClientLimit) {
		status, after = http.StatusTooManyRequests, "60"
	}
	h.opts.Logger.Warn("bosh: no session created", "error", err, "remote", r.RemoteAddr)
	w.Header().Set("Retry-After", after)
	h.write(w, askerOf(r), status, p.Attrs[attrContent], terminal(policyViolation))
}

// notOpened answers when the backend refuses.
func (h *Handler) notOpened(w http.ResponseWriter, r *http.Request, s *transport.Session, err error) {
	t := &transport.Termination{Condition: transport.Internal, Err: err}
	errors.As(err, &t)
	s.Terminate(t)
	if t.Condition == transport.Unauthorized || t.Condition == transport.Expired {
		h.notSignedIn(w, r, s.Params(), t)
		return
	}
	h.respond(w, askerOf(r), s, transport.Response{End: t}, false)
}

// created writes what the client learns about its session, once
// (XEP-0124 §7.2).
func (h *Handler) created(b *wrapper, s *transport.Session, o *opened) {
	p := s.Params()
	b.attr("sid", s.ID())
	b.seconds("wait", p.Wait)
	b.number("requests", uint64(p.Requests))
	b.number("hold", uint64(p.Hold))
	if v := p.Attrs[attrVersion]; v != "" {
		b.attr("ver", v)
	} else {
		b.attr("ver", ourVersion.String())
	}
	if h.opts.Polling > 0 {
		b.seconds("polling", h.opts.Polling)
	}
	b.seconds("inactivity", p.Inactivity)
	if p.MaxPause > 0 {
		b.seconds("maxpause", p.MaxPause)
	}
	if !h.opts.NoAccept {
		b.attr("accept", accepted)
	}
	if p.Attrs[attrStreams] != "" {
		b.attr("stream", gateOf(p).streams.first())
	}
	if p.Attrs[attrXMPP] != "" {
		b.xmppAttr("restartlogic", "true")
	}
	if o != nil && o.from != "" {
		b.attr("from", o.from)
	} else {
		b.attr("from", p.Attrs[attrTo])
	}
}
