package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/jetstream"
	"github.com/mochibosh/mochibosh/transport"
)

func TestStore(t *testing.T) {
	s := startNATS(t)
	made := func(node string) *jetstream.Store {
		store, err := jetstream.NewStore(t.Context(), jetstream.Options{Conn: connect(t, s), Node: node})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	a, b := made("a"), made("b")
	ctx := t.Context()
	first, err := a.Save(ctx, "id.a", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Save(ctx, "id.a", []byte("two"), 0); err != transport.ErrConflict {
		t.Errorf("made twice: %v", err)
	}
	second, err := b.Save(ctx, "id.a", []byte("two"), first)
	if err != nil || second == first {
		t.Fatal(second, err)
	}
	if _, err := a.Save(ctx, "id.a", []byte("three"), first); err != transport.ErrConflict {
		t.Errorf("of two with one revision: %v", err)
	}
	if data, revision, err := a.Load(ctx, "id.a"); string(data) != "two" || revision != second || err != nil {
		t.Errorf("got %q, %d, %v", data, revision, err)
	}
	if err := a.Delete(ctx, "id.a", first); err != transport.ErrConflict {
		t.Errorf("deleted by who does not have it: %v", err)
	}
	if err := b.Delete(ctx, "id.a", second); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"id.a", "never there", "", "*", ">", "a.>", strings.Repeat("x", 10_000)} {
		if _, _, err := a.Load(ctx, id); err != transport.ErrNoSession {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	if _, err := a.Save(ctx, "id.a", []byte("four"), second); err != transport.ErrConflict {
		t.Errorf("stored by who did not hear of its end: %v", err)
	}
	odd := "a b.*>ä"
	if revision, err := a.Save(ctx, odd, []byte("odd"), 0); err != nil {
		t.Error(err)
	} else if data, got, err := b.Load(ctx, odd); string(data) != "odd" || got != revision || err != nil {
		t.Errorf("got %q, %d, %v", data, got, err)
	}
}

// Only so many requests are with NATS at once. The others wait for their turn, or for
// as long as they may.
func TestRequestsWaitInLine(t *testing.T) {
	s, err := jetstream.NewStore(t.Context(), jetstream.Options{Conn: connect(t, startNATS(t)), Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	done := s.Busy()
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Load(gaveUp, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Save(gaveUp, "a", []byte("1"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waited := make(chan error)
	go func() {
		_, err := s.Save(t.Context(), "a", []byte("1"), 0)
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	done()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
