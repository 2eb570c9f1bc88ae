package push

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/transport"
)

// Protocol is the name of the protocol, also as a WebSocket subprotocol.
const Protocol = "push.v1"

// An Endpoint is the part of push.v1 that is the same on every carrier. Its
// methods may be called from many goroutines at once.
type Endpoint struct {
	manager *transport.Manager
	opts    Options
	origins origin.Policy
}

// NewEndpoint returns an endpoint for the manager's sessions. Nil options are
// the defaults.
func NewEndpoint(m *transport.Manager, opts *Options) *Endpoint {
	o := opts.withDefaults()
	return &Endpoint{manager: m, opts: o, origins: origin.NewPolicy(o.Origins, "Content-Type", "Authorization", "Last-Event-ID")}
}

// Options returns the options with all defaults filled in.
func (e *Endpoint) Options() *Options { return &e.opts }

// Create makes the session that the object asks for, opens its stream and
// takes its messages. The answer is the object for the client.
func (e *Endpoint) Create(ctx context.Context, o *Object) (s *transport.Session, answer []byte, err error) {
	if o.First > 1 {
		return nil, nil, badRequest("the first message of a session has number 1")
	}
	if o.Ack != 0 {
		return nil, nil, badRequest("ack without a session")
	}
	p := transport.Params{
		Protocol:   Protocol,
		Secret:     rand.Text(),
		Wait:       e.opts.Wait,
		Inactivity: e.opts.Inactivity,
		Requests:   e.opts.Window,
	}
	if e.opts.Guard != nil {
		if ctx, err = e.opts.Guard.SignIn(ctx, o.Token); err != nil {
			return nil, nil, e.refuse(err)
		}
	}
	if o.Wait != nil {
		p.Wait = min(p.Wait, time.Duration(*o.Wait)*time.Second)
	}
	if s, err = e.manager.Create(ctx, p); err != nil {
		return nil, nil, e.refuse(err)
	}
	if _, err = s.Open(ctx, "", o.To); err != nil {
		s.Terminate(&transport.Termination{Condition: transport.Internal, Text: "no backend", Err: err})
		return nil, nil, e.refuse(err)
	}
	ack, err := s.Push(ctx, 1, o.frames())
	if err != nil && s.Err() == nil {
		s.Terminate(&transport.Termination{Condition: transport.BadRequest, Err: err})
		return nil, nil, e.refuse(err)
	}
	if err := s.Stored(ctx); err != nil {
		return nil, nil, e.refuse(err)
	}
	return s, appendCreated(nil, s, &e.opts, ack), nil
}

// Known returns the session with this id; nothing is proven by it. *transport.Owned:
// another process has it; see [Endpoint.Fail].
func (e *Endpoint) Known(ctx context.Context, session string) (*transport.Session, error) {
	return e.known(e.manager.Lookup(ctx, session))
}

func (e *Endpoint) known(s *transport.Session, err error) (*transport.Session, error) {
	if err == nil && s.Params().Protocol != Protocol {
		err = transport.ErrNoSession
	}
	if err != nil {
		return nil, e.refuse(notFound(err))
	}
	return s, nil
}

// Find returns the session that the client names, if it has the key. Errors as
// for Known.
func (e *Endpoint) Find(ctx context.Context, session, key string) (*transport.Session, error) {
	s, err := e.Known(ctx, session)
	if err != nil {
		return nil, err
	}
	return s, e.prove(s, key)
}

func (e *Endpoint) prove(s *transport.Session, key string) error {
	if subtle.ConstantTimeCompare([]byte(key), []byte(s.Params().Secret)) != 1 {
		return e.refuse(&Error{Code: Forbidden, Message: "wrong key"})
	}
	return nil
}

// Resume returns the session that an object names, if it has the key and, where
// there is a token too, that of the session's user. Errors as for Known.
func (e *Endpoint) Resume(ctx context.Context, o *Object) (*transport.Session, error) {
	s, err := e.Find(ctx, o.Session, o.Key)
	if err != nil {
		return nil, err
	}
	return s, e.Refresh(ctx, s, o)
}

// ResumeHere is Resume for a connection that cannot be passed on: a session that
// another process has goes on here.
func (e *Endpoint) ResumeHere(ctx context.Context, o *Object) (*transport.Session, error) {
	s, err := e.known(e.manager.Bring(ctx, o.Session))
	if err != nil {
		return nil, err
	}
	if err := e.prove(s, o.Key); err != nil {
		return nil, err
	}
	return s, e.Refresh(ctx, s, o)
}

// Refresh takes the token of an object of a session, if there is one.
func (e *Endpoint) Refresh(ctx context.Context, s *transport.Session, o *Object) error {
	if o.Token == "" || e.opts.Guard == nil || s.Err() != nil {
		return nil // whoever asks next is told of the end
	}
	if err := e.opts.Guard.Refresh(ctx, s, o.Token); err != nil {
		return e.refuse(err)
	}
	return nil
}

// Take lets everything in the object take effect that is no poll: messages,
// the acknowledgement, the end. It returns what is accepted. On an ordered
// carrier, messages need no number, and without any it returns zero. The end of the session is no error here:
// whoever asks next is told.
func (e *Endpoint) Take(ctx context.Context, s *transport.Session, o *Object, ordered bool) (ack uint64, err error) {
	if len(o.Messages) > 0 && o.First == 0 && !ordered {
		return 0, e.refuse(badRequest("messages without first"))
	}
	// First what the client has: the messages may have to wait for a backend
	// that waits for room to send.
	if o.Attach == 0 || ordered {
		if err := s.Ack(o.Ack); err != nil {
			return 0, e.refuse(err)
		}
	}
	if len(o.Messages) > 0 || !ordered { // else nobody asks what is accepted
		ack, err = s.Push(ctx, o.First, o.frames())
	}
	var over *transport.Termination
	if err != nil && !errors.As(err, &over) {
		return ack, e.refuseAt(err, ack)
	}
	if len(o.Messages) > 0 {
		if err := s.Stored(ctx); err != nil {
			return 0, e.refuse(err)
		}
	}
	if o.End {
		s.Terminate(&transport.Termination{Condition: transport.Normal, ByClient: true})
	}
	return ack, nil
}

// Acknowledge returns what is answered to messages that were taken.
func (e *Endpoint) Acknowledge(s *transport.Session, ack uint64) ([]byte, error) {
	end, over := s.Err().(*transport.Termination)
	switch {
	case !over:
		return AppendAck(nil, ack), nil
	case errors.Is(end, transport.ErrElsewhere): // which is no end
		return nil, e.refuse(&transport.Suspended{After: time.Second})
	}
	return AppendEnd(nil, end), nil
}

// Pull asks for the messages of the server, with errors in push.v1's terms.
func (e *Endpoint) Pull(ctx context.Context, s *transport.Session, p transport.Pull) (transport.Response, error) {
	r, err := s.Pull(ctx, p)
	if err != nil {
		err = e.refuse(err)
	}
	return r, err
}

// PullFunc is Pull for a carrier that does not wait itself.
func (e *Endpoint) PullFunc(s *transport.Session, p transport.Pull, f func(transport.Response)) (transport.Pending, error) {
	pending, err := s.PullFunc(p, f)
	if err != nil {
		err = e.refuse(err)
	}
	return pending, err
}

// Attach makes n the newest connection of the session, with errors in
// push.v1's terms.
func (e *Endpoint) Attach(s *transport.Session, n, after uint64) error {
	if n == 0 {
		return e.refuse(badRequest("attach is missing"))
	}
	if err := s.Attach(n, after); err != nil {
		return e.refuse(err)
	}
	return nil
}

// refuse translates an error for the client, and logs it once. That the
// client went away is nothing to tell it.
func (e *Endpoint) refuse(err error) error { return e.refuseAt(err, 0) }

func (e *Endpoint) refuseAt(err error, ack uint64) error {
	var owned *transport.Owned
	if errors.Is(err, context.Canceled) || errors.As(err, &owned) && e.opts.Forward != nil {
		return err
	}
	refusal := errorOf(err)
	refusal.Ack = ack
	if err != error(refusal) && (refusal.Code == Internal || refusal.Code == Unavailable) {
		e.opts.Logger.Warn("push.v1 request not served", "code", string(refusal.Code), "error", err)
		return refusal
	}
	e.opts.Logger.Info("push.v1 request refused", "code", string(refusal.Code), "message", refusal.Message)
	return refusal
}
