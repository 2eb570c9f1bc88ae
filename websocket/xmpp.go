package websocket

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// ProtocolXMPP is the subprotocol of RFC 7395, and the Params.Protocol of its
// sessions.
const ProtocolXMPP = "xmpp"

// xmpp carries an XMPP stream on one connection. The messages are the frames
// of a session, both ways, <open/> and <close/> among them, so there is little
// to do but to check what comes. Who reads never writes once there is a
// session: it ends the session, and the end is told behind the last frame.
type xmpp struct {
	puller
	manager *transport.Manager
	opts    *push.Options
	secure  bool   // the connection is encrypted
	to      string // whom the client asked for
	spoke   bool   // the client got something; the writer's

	// RFC 7395 §3.7: a stream is restarted where XMPP mandates it, which is
	// after authentication and nowhere else.
	mayRestart atomic.Bool

	parting sync.Mutex
	ours    bool // our <close/> is sent
	theirs  bool // the client's arrived
	code    int  // the close code, once ours is sent
	giveUp  *time.Timer
}

func newXMPP(c *conn, m *transport.Manager, o *push.Options, secure bool) *xmpp {
	x := &xmpp{manager: m, opts: o, secure: secure}
	x.init(c, o.Ping)
	x.Say = x.write
	return x
}

// ---- what the client says

// serve reads until the connection is over; it may go on after it has returned.
func (x *xmpp) serve(ctx context.Context) {
	if !x.next(ctx, x.opts.BodyTimeout, x.begin) {
		return
	}
	x.conn.each(func() bool { return x.next(ctx, x.conn.silence, x.take) })
}

// next reads a message, which is one element (RFC 7395 §3.3.3), and reports
// whether others may follow.
func (x *xmpp) next(ctx context.Context, timeout time.Duration, take func(ctx context.Context, message []byte) error) bool {
	data, err := x.conn.read(timeout)
	if err != nil && !errors.Is(err, errTooBig) {
		x.hangUp(err)
		x.leave()
		return false
	}
	if err == nil {
		err = take(ctx, data)
	}
	if err != nil {
		x.refuse(err)
	}
	x.conn.listen()
	return true
}

// begin makes the session, with the first element. The pull comes before the
// backend, which may take its time: meanwhile, the client gets pings.
//
// An XML declaration in front is not recommended, but common before <open/>.
func (x *xmpp) begin(ctx context.Context, message []byte) error {
	e, err := xmlframe.ParseElement(message, true, x.limits())
	if err != nil {
		return err
	}
	x.to, _ = e.Attr("", "to")
	if err := check(e.Name); err != nil {
		return err
	}
	if e.Name.Is(spaceFraming, "close") {
		x.closed()
		x.finish(&transport.Termination{Condition: transport.Normal})
		return nil
	}
	if !e.Name.Is(spaceFraming, "open") {
		return badFormat
	}
	s, err := x.manager.Create(ctx, transport.Params{
		Protocol: ProtocolXMPP,
		Fleeting: true,
		Wait:     x.Wait,
		// Nobody else can pull, so this is no more than a write may take. A
		// connection that is gone ends its session itself.
		Inactivity: 2 * x.opts.WriteTimeout,
	})
	if err != nil {
		return err
	}
	x.Session = s
	x.puller.begin(0)
	if _, err := s.Open(ctx, "", x.to); err != nil {
		return err
	}
	return x.push(ctx, e.Raw)
}

func (x *xmpp) limits() *xmlframe.Limits {
	return &xmlframe.Limits{MaxBytes: x.opts.MaxBody, MaxDepth: x.opts.MaxDepth, MaxAttributes: x.opts.MaxAttributes}
}

// take passes an element on. While the backend is behind it waits, and so does
// the client, for nobody reads on.
func (x *xmpp) take(ctx context.Context, message []byte) error {
	name, element, err := xmlframe.CheckElement(message, true, x.limits())
	if err != nil {
		return err
	}
	if x.theirs {
		return nil // nothing follows a <close/>
	}
	if name.Is(spaceFraming, "close") {
		x.end(ctx, element)
		return nil
	}
	if x.Session == nil {
		return nil // it was refused, only <close/> is waited for
	}
	if err := check(name); err != nil {
		return err
	}
	// RFC 7395 §3.4: one stream on one connection.
	if name.Is(spaceFraming, "open") && !x.mayRestart.Swap(false) {
		return &transport.Termination{Condition: transport.BadRequest, Text: "the stream is open already", Err: badFormat}
	}
	return x.push(ctx, element)
}

// end ends the session as the client asks for. The backend gets the <close/>
// too.
func (x *xmpp) end(ctx context.Context, element []byte) {
	if x.Session != nil {
		_ = x.push(ctx, element) // an error means that the session is over
	}
	x.closed()
	if x.Session != nil {
		x.Session.Terminate(&transport.Termination{Condition: transport.Normal, ByClient: true})
	}
}

func (x *xmpp) push(ctx context.Context, element []byte) error {
	_, err := x.Session.Push(ctx, 0, []transport.Frame{{Data: element}})
	return err
}

// check refuses what can be no part of a stream. RFC 7395 §3.3.2: framing
// elements of another namespace are invalid-namespace; and there is no
// namespace to inherit (§3.3.3).
func check(name xmlframe.Name) error {
	framing := name.Local == "open" || name.Local == "close"
	switch {
	case name.Is(spaceStream, "stream"):
		return notWellFormed
	case name.Space == "", framing && name.Space != spaceFraming:
		return invalidNamespace
	}
	return nil
}

// refuse ends the stream because of what the client sent. Whoever comes after
// the end has no say in it.
func (x *xmpp) refuse(err error) {
	t := endOf(err)
	switch {
	case x.Session != nil:
		if !x.Session.Terminate(t) {
			return
		}
	case !x.spoke:
		x.finish(t)
	default:
		return
	}
	x.opts.Logger.Info("xmpp stream refused", "condition", string(streamErrorOf(t)), "text", t.Text)
}

// hangUp closes a connection on which nothing can be read any more.
func (x *xmpp) hangUp(err error) {
	if errors.Is(err, errSilence) && x.Session == nil && !x.spoke {
		x.closed() // there is nobody to wait for
		x.finish(&transport.Termination{Condition: transport.Inactive, Text: "no <open/> came"})
		return
	}
	x.conn.fail(err, x.opts.Logger)
}

// leave ends what depends on the connection. Without <close/> from the client
// the session ends as one whose client vanished (RFC 7395 §3.6), so a backend
// can tell one from the other, and keep what the client may resume (XEP-0198).
func (x *xmpp) leave() {
	x.Stop()
	x.vanish()
	x.parting.Lock()
	defer x.parting.Unlock()
	if x.giveUp != nil {
		x.giveUp.Stop()
	}
}

// vanish ends the session of a connection that is gone.
func (x *xmpp) vanish() {
	x.conn.drop()
	if x.Session != nil {
		x.Session.Terminate(&transport.Termination{Condition: transport.Inactive, Text: "the connection is gone"})
	}
}
