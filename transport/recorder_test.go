package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A recorder is a backend that writes down what it is told.
type recorder struct {
	onOpen    func(ctx context.Context, st *Stream) error
	onReceive func(st *Stream, p []byte) error
	onClose   func(st *Stream, err error)

	mu  sync.Mutex
	log []string
}

func (b *recorder) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

// want compares the log with what is expected once all is quiet, and begins a
// new one.
func (b *recorder) want(t *testing.T, rule string, lines ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.log, lines) {
		t.Errorf("%s: the backend was told %q, want %q", rule, b.log, lines)
	}
	b.log = nil
}

// wantInAnyOrder is want for what different streams are told.
func (b *recorder) wantInAnyOrder(t *testing.T, rule string, lines ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	slices.Sort(b.log)
	b.mu.Unlock()
	slices.Sort(lines)
	b.want(t, rule, lines...)
}

func (b *recorder) Open(ctx context.Context, st *Stream) (Receiver, error) {
	b.note("open %s", st.Name())
	if b.onOpen != nil {
		if err := b.onOpen(ctx, st); err != nil {
			return nil, err
		}
	}
	return recording{b, st}, nil
}

type recording struct {
	*recorder
	st *Stream
}

func (r recording) Receive(p []byte) error {
	r.note("%s receives %s", r.st.Name(), p)
	if r.onReceive != nil {
		return r.onReceive(r.st, p)
	}
	return nil
}

func (r recording) Close(err error) {
	r.note("close %s: %s", r.st.Name(), conditionOf(err))
	if r.onClose != nil {
		r.onClose(r.st, err)
	}
}

// conditionOf says why, and whether the client wanted it.
func conditionOf(err error) string {
	var t *Termination
	if !errors.As(err, &t) {
		return fmt.Sprint(err)
	}
	if t.ByClient {
		return string(t.Condition) + " by client"
	}
	return string(t.Condition)
}

// testParams are those of most tests here.
var testParams = Params{
	Wait: time.Minute, Inactivity: 30 * time.Second, MaxPause: 2 * time.Minute, Hold: 1, Requests: 2,
	MaxInbox: 1000, MaxOutbox: 1000,
}

// newSession makes a session with one open stream, named "s".
func newSession(t *testing.T, b Backend, p Params) (*Session, *Stream) {
	t.Helper()
	s := newBareSession(t, &Options{Backend: b}, p)
	return s, openStream(t, s, "s")
}

func newBareSession(t *testing.T, opts *Options, p Params) *Session {
	t.Helper()
	s, err := NewManager(opts).Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openStream(t *testing.T, s *Session, name string) *Stream {
	t.Helper()
	st, err := s.Open(t.Context(), name, "")
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	return st
}

// A pending call runs in its own goroutine until it returns.
type pending[T any] struct {
	value T
	err   error
	done  atomic.Bool
}

func start[T any](f func() (T, error)) *pending[T] {
	p := new(pending[T])
	go func() {
		p.value, p.err = f()
		p.done.Store(true)
	}()
	return p
}

func (p *pending[T]) wantWaiting(t *testing.T, rule string) {
	t.Helper()
	if synctest.Wait(); p.done.Load() {
		t.Fatalf("%s: returned %v, %v; want it to wait", rule, p.value, p.err)
	}
}

func (p *pending[T]) wantDone(t *testing.T, rule string) T {
	t.Helper()
	if synctest.Wait(); !p.done.Load() {
		t.Fatalf("%s: still waiting", rule)
	}
	return p.value
}

func exchange(ctx context.Context, s *Session, r Request) *pending[Response] {
	return start(func() (Response, error) { return s.Exchange(ctx, r) })
}

func pull(ctx context.Context, s *Session, p Pull) *pending[Response] {
	return start(func() (Response, error) { return s.Pull(ctx, p) })
}

func send(ctx context.Context, st *Stream, data string) *pending[struct{}] {
	return start(func() (struct{}, error) { return struct{}{}, st.Send(ctx, []byte(data)) })
}

func push(ctx context.Context, s *Session, first uint64, data ...string) *pending[uint64] {
	return start(func() (uint64, error) { return s.Push(ctx, first, frames(data...)) })
}

// wantEnd checks why a session ended; "" means that it lives.
func wantEnd(t *testing.T, s *Session, rule string, want Condition) {
	t.Helper()
	synctest.Wait()
	switch err := s.Err(); {
	case want == "" && err != nil:
		t.Fatalf("%s: %v", rule, err)
	case want != "" && err == nil:
		t.Fatalf("%s: the session lives", rule)
	case want != "" && err.(*Termination).Condition != want:
		t.Fatalf("%s: %v, want %s", rule, err, want)
	}
}

func wantFrames(t *testing.T, r Response, rule string, want ...string) {
	t.Helper()
	if got := texts(r.Frames); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", rule, got, want)
	}
}
