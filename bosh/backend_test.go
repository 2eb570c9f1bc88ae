package bosh_test

import (
	"context"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/transport"
)

// backend records what it gets; the test speaks for it.
type backend struct {
	greet func(*transport.Stream) error

	mu      sync.Mutex
	streams []*stream
}

type stream struct {
	*transport.Stream
	mu     sync.Mutex
	got    []string
	closed error
	gate   chan struct{} // if set, Receive waits for it
}

func (b *backend) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	if b.greet != nil {
		if err := b.greet(st); err != nil {
			return nil, err
		}
	}
	s := &stream{Stream: st}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams = append(b.streams, s)
	return s, nil
}

// stream returns the newest.
func (b *backend) stream() *stream {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streams[len(b.streams)-1]
}

func (b *backend) opened() int {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.streams)
}

func (s *stream) Receive(p []byte) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, string(p))
	return nil
}

func (s *stream) Close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, "closed")
	s.closed = err
}

func (s *stream) send(frame string) {
	s.TrySend([]byte(frame))
	synctest.Wait()
}

// received returns all frames so far, and "closed" last if it is.
func (s *stream) received() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.got, " ")
}

func (w *world) wantReceived(what, want string) {
	w.t.Helper()
	if got := w.backend.stream().received(); got != want {
		w.t.Errorf("%s: the backend got %q, want %q", what, got, want)
	}
}

// slowBackend has one stream, and takes what comes while nobody has its turn.
type slowBackend struct {
	stream  *transport.Stream
	turn    chan struct{}
	stalled bool
	mu      sync.Mutex
	got     []string
}

func newSlowBackend() *slowBackend {
	b := &slowBackend{turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

func (b *slowBackend) Open(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	b.stream = st
	return b, nil
}

func (b *slowBackend) Receive(p []byte) error {
	b.take(string(p))
	return nil
}

func (b *slowBackend) Close(error) { b.take("closed") }

func (b *slowBackend) take(what string) {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, what)
}

func (b *slowBackend) stall() {
	if b.stalled = !b.stalled; b.stalled {
		<-b.turn
	} else {
		b.turn <- struct{}{}
	}
}

func (b *slowBackend) received() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.got, " ")
}

// ---- logs

type logs struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
