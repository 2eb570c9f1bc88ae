package transport

import (
	"context"
	"fmt"
)

// A Backend is what sessions talk to. Open is called once for each stream.
// The context carries the values of the HTTP request that opened the stream
// and ends with the session, not with that request. Open may send on the
// stream; an error refuses the stream, as a *Termination with its own
// condition, else with BackendError.
type Backend interface {
	Open(ctx context.Context, st *Stream) (Receiver, error)
}

// A Receiver takes what a client sends on one stream. Calls to it never
// overlap, and no lock of the session is held while they run. A Receiver may be
// a [Trier] and a [Bouncer], too.
type Receiver interface {
	// Receive takes one frame, in order; p is never to be modified. While it
	// blocks, the client's window fills and closes. An error ends the stream.
	Receive(p []byte) error
	// Close is called exactly once, last, when the stream or its session is
	// over; err is a *Termination and says why.
	Close(err error)
}

// A Trier is a Receiver that mostly need not wait. What a carrier brings it is
// then taken on the carrier's goroutine, which is cheaper than one of its own.
type Trier interface {
	// TryReceive is Receive, unless that would have to wait for anything, or
	// take long: then it does nothing and reports false, and Receive gets the
	// frame.
	TryReceive(p []byte) (taken bool, err error)
}

// A Bouncer is a Receiver that takes back what its client did not get.
type Bouncer interface {
	// Bounce is called before Close when the session is over, with the frames,
	// in order, that no connection of the client ever took. Of frames that were
	// sent and not acknowledged nobody knows whether the client has them; they
	// are not among these.
	Bounce(frames [][]byte)
}

// A BackendFunc is a Backend made of its Open function.
type BackendFunc func(ctx context.Context, st *Stream) (Receiver, error)

// Open calls f.
func (f BackendFunc) Open(ctx context.Context, st *Stream) (Receiver, error) { return f(ctx, st) }

// A Mux chooses the backend by the stream's target; "" is the default. An
// unknown target is refused with HostUnknown.
type Mux map[string]Backend

// Open implements Backend.
func (m Mux) Open(ctx context.Context, st *Stream) (Receiver, error) {
	b, ok := m[st.Target()]
	if !ok {
		b, ok = m[""]
	}
	if !ok {
		return nil, &Termination{Condition: HostUnknown, Text: fmt.Sprintf("nothing here is called %q", st.Target())}
	}
	return b.Open(ctx, st)
}

// Serve makes a Backend of a function that handles one stream from start to
// end, as net.Conn handlers do: frames of the client come from in, which is
// closed after the last; st.Send answers. When f returns, the stream ends:
// normally, or with the error.
//
// When the session ends, the context is done, and in still gives what the
// client had sent before: f may take it or return; st.Session().Err() says why. [Manager.Shutdown] waits
// for f to return.
//
// It is the blocking style: each stream costs goroutines. A Receiver costs
// none.
func Serve(f func(ctx context.Context, st *Stream, in <-chan []byte) error) Backend {
	return BackendFunc(func(ctx context.Context, st *Stream) (Receiver, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		s := &served{cancel: cancel, in: make(chan []byte), done: make(chan struct{})}
		go func() {
			defer close(s.done)
			defer cancel(nil)
			defer st.session.recoverBackend()
			st.Close(terminationOf(f(ctx, st, s.in)))
		}()
		return s, nil
	})
}

// served hands frames to the goroutine of Serve.
type served struct {
	cancel context.CancelCauseFunc
	in     chan []byte
	done   chan struct{} // closed when the function has returned
}

func (s *served) Receive(p []byte) error {
	select {
	case s.in <- p:
		return nil
	case <-s.done:
		return nil // nobody wants it
	}
}

func (s *served) Close(err error) {
	close(s.in)
	s.cancel(err)
	<-s.done
}
