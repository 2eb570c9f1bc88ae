package transport

import (
	"context"
	"errors"
	"time"
)

// A Store keeps sessions where they outlive the process, or its machine. With
// Options.Store, every answer waits until what it acknowledges is stored. All
// methods may be called from many goroutines at once.
//
// What is stored has a revision, which each Save changes. Who saves names the
// one that it knows: so of two processes that have the same session, one gets
// ErrConflict, and lets go of it. To take a session over is to save it again as
// it was loaded.
type Store interface {
	// Load returns what was saved last. ErrNoSession: nothing was, or it was
	// deleted.
	Load(ctx context.Context, id string) (snapshot []byte, revision uint64, err error)
	// Save stores a snapshot in place of the one with this revision; zero: there
	// is none yet. It returns when the snapshot is as safe as the store makes
	// it. ErrConflict: that is not the revision. The snapshot is not kept.
	Save(ctx context.Context, id string, snapshot []byte, revision uint64) (next uint64, err error)
	// Delete removes a session that is over, which has this revision. It is no error
	// if it is not there. ErrConflict: that is not the revision.
	Delete(ctx context.Context, id string, revision uint64) error
}

// A Suspender is a Receiver whose stream can go on in another process, or in
// this one when it has come back.
type Suspender interface {
	// Suspend calls save with what [Resumer.Resume] needs, and with how many
	// frames were received on the stream in all its life; the one that Receive
	// is at counts only if it is not to be given again. While save runs, nothing
	// is sent on the stream.
	//
	// When the stream does go on elsewhere, Close is called with an error that
	// is ErrElsewhere.
	Suspend(save func(token []byte, received uint64))
}

// A Resumer is a Backend with streams that can be resumed. Resume does what Open
// does, for a stream that was suspended with this token. The context has no
// values of a request.
//
// If it cannot be done just now, the error is *Suspended: then the session stays
// where it is stored, and is tried again when its client comes back.
type Resumer interface {
	Resume(ctx context.Context, st *Stream, token []byte) (Receiver, error)
}

// A Settler is a Backend that works off something after its streams have sent
// and received. Settle returns when it has, or the context is done.
type Settler interface {
	Settle(ctx context.Context) error
}

// A Suspended error says that a session, or the server, is about to go on in
// another process. The client is to come back with the same request.
type Suspended struct {
	After time.Duration // when
}

// Error implements error.
func (s *Suspended) Error() string { return "transport: goes on elsewhere after " + s.After.String() }

var (
	// ErrConflict means that a Store has another revision of a session.
	ErrConflict = errors.New("transport: another process has the session")
	// ErrElsewhere is the cause of the end of a stream that goes on in another
	// process.
	ErrElsewhere = errors.New("transport: goes on in another process")
	// ErrSnapshot means that what a Store has is no session.
	ErrSnapshot = errors.New("transport: not a snapshot of a session")
)

// Resume implements [Resumer], for backends that do.
func (m Mux) Resume(ctx context.Context, st *Stream, token []byte) (Receiver, error) {
	b, ok := m[st.Target()]
	if !ok {
		b = m[""]
	}
	return resume(ctx, b, st, token)
}

// Settle implements [Settler], for backends that do.
func (m Mux) Settle(ctx context.Context) error {
	var err error
	for _, b := range m {
		err = errors.Join(err, settle(ctx, b))
	}
	return err
}

func resume(ctx context.Context, b Backend, st *Stream, token []byte) (Receiver, error) {
	r, ok := b.(Resumer)
	if !ok {
		return nil, &Termination{Condition: Unreachable, Text: "the stream could not be moved"}
	}
	return r.Resume(ctx, st, token)
}

func settle(ctx context.Context, b Backend) error {
	if s, ok := b.(Settler); ok {
		return s.Settle(ctx)
	}
	return nil
}
