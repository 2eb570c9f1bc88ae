package websocket

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// pusher serves push.v1 on one connection. One goroutine reads; what the
// session has to say comes through the puller.
type pusher struct {
	puller
	endpoint *push.Endpoint
	token    string // of the handshake
}

func newPusher(c *conn, e *push.Endpoint, token string) *pusher {
	p := &pusher{endpoint: e, token: token}
	p.init(c, e.Options().Ping)
	p.Say = func(r transport.Response) bool { return p.write(r, false) }
	return p
}

// serve reads until the connection is over; it may go on after it has returned.
func (p *pusher) serve(ctx context.Context) {
	if err := p.greet(ctx); err != nil {
		p.end(err)
		return
	}
	p.conn.listen()
	p.conn.each(func() bool {
		o, err := p.next(p.conn.silence)
		if err == nil {
			err = p.take(ctx, o)
		}
		if err != nil {
			p.end(err)
		}
		return err == nil
	})
}

// end ends the connection, and leaves the session to others, and to its clock.
func (p *pusher) end(err error) {
	p.refuse(err)
	p.Stop()
}

// next reads an object.
func (p *pusher) next(timeout time.Duration) (*push.Object, error) {
	data, err := p.conn.read(timeout)
	if err != nil {
		return nil, err
	}
	return p.endpoint.Parse(data)
}

// greet reads the first object and makes or finds the session.
func (p *pusher) greet(ctx context.Context) error {
	o, err := p.next(p.endpoint.Options().BodyTimeout)
	if errors.Is(err, errSilence) {
		return &push.Error{Code: push.Slow, Message: "the first object took too long"}
	}
	if err != nil {
		return err
	}
	if o.Session == "" {
		o.Token, p.token = cmp.Or(o.Token, p.token), "" // it need not be kept
		return p.create(ctx, o)
	}
	return p.resume(ctx, o)
}

func (p *pusher) create(ctx context.Context, o *push.Object) error {
	s, answer, err := p.endpoint.Create(ctx, o)
	if err != nil {
		return err
	}
	p.Session = s // attached with number 0, below whatever the client takes next
	if err := p.conn.write(answer); err != nil {
		return err
	}
	p.begin(0)
	return nil
}

func (p *pusher) resume(ctx context.Context, o *push.Object) error {
	s, err := p.endpoint.ResumeHere(ctx, o)
	if err != nil {
		return err
	}
	if err := p.endpoint.Attach(s, o.Attach, o.Ack); err != nil {
		return err
	}
	p.Session, p.Attach = s, o.Attach
	first, err := p.endpoint.Pull(ctx, s, transport.Pull{Attach: o.Attach, After: o.Ack, Again: true})
	if err != nil {
		return err
	}
	ack, err := p.endpoint.Take(ctx, s, o, true)
	if err != nil {
		return err
	}
	first.Ack = max(first.Ack, ack) // messages may have come with the object
	if p.write(first, true) {
		p.begin(first.Last())
	}
	return nil
}

// take lets an object take effect. While backends are behind it waits, and so
// does the client, for nobody reads on.
func (p *pusher) take(ctx context.Context, o *push.Object) error {
	if err := p.endpoint.Refresh(ctx, p.Session, o); err != nil {
		return err
	}
	ack, err := p.endpoint.Take(ctx, p.Session, o, true)
	if err != nil || len(o.Messages) == 0 {
		return err
	}
	return p.conn.write(push.AppendAck(nil, ack))
}

// write sends what the session had to say.
func (p *pusher) write(r transport.Response, numbers bool) (more bool) {
	if r.Later > 0 {
		p.conn.close(closeRestart, "the server is restarted")
		return false
	}
	err := p.conn.send(func(dst []byte) []byte { return push.AppendAnswer(dst, r, numbers) })
	switch {
	case err != nil:
		p.conn.drop()
	case r.Replaced:
		p.conn.close(closeReplaced, "replaced")
	case r.End != nil:
		p.conn.close(codeOfEnd(r.End.Condition), string(r.End.Condition))
	case !numbers && p.keepAlive(len(r.Frames) == 0) != nil:
		p.conn.drop()
	default:
		return true
	}
	return false
}

// refuse ends the connection, with the error's own words where the client is
// still there to read them.
func (p *pusher) refuse(err error) {
	var refusal *push.Error
	switch {
	case errors.As(err, &refusal):
		_ = p.conn.write(refusal.Append(nil))
		p.conn.close(codeOfError(refusal), string(refusal.Code))
	default:
		p.conn.fail(err, p.endpoint.Options().Logger)
	}
}
