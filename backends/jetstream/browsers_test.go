package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/backends/jetstream"
)

func newBrowsers(t *testing.T, s *server.Server, node string, l webpush.Limits) *jetstream.Browsers {
	t.Helper()
	b, err := jetstream.NewBrowsers(t.Context(), jetstream.Options{Conn: connect(t, s), Node: node, Timeout: 2 * time.Second}, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.Load(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func browserAt(endpoint string, topics ...string) webpush.Subscription {
	return webpush.Subscription{Endpoint: endpoint, Topics: topics}
}

// wantBrowsers waits until a process knows these browsers of a user.
func wantBrowsers(t *testing.T, b *jetstream.Browsers, user string, want ...string) {
	t.Helper()
	var got []string
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		all, err := b.Of(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, s := range all {
			got = append(got, s.Endpoint)
		}
		if slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("%s has %q, want %q", user, got, want)
}

func TestBrowsers(t *testing.T) {
	s := startNATS(t)
	a, b := newBrowsers(t, s, "a", webpush.Limits{MaxPerUser: 2}), newBrowsers(t, s, "b", webpush.Limits{MaxPerUser: 2})
	put := func(at *jetstream.Browsers, user string, s webpush.Subscription) {
		t.Helper()
		if err := at.Put(t.Context(), user, s); err != nil {
			t.Fatal(err)
		}
	}
	put(a, "ann", browserAt("one", "news"))
	if all, err := a.Of(t.Context(), "ann"); err != nil || len(all) != 1 || !slices.Equal(all[0].Topics, []string{"news"}) {
		t.Errorf("who stores it does not know it: %v, %v", all, err)
	}
	wantBrowsers(t, b, "ann", "one")
	if users, err := b.Users(t.Context(), "news"); err != nil || !slices.Equal(users, []string{"ann"}) {
		t.Errorf("news are for %v, %v", users, err)
	}
	put(b, "bob", browserAt("one")) // another user of the same browser
	wantBrowsers(t, a, "ann")
	wantBrowsers(t, a, "bob", "one")
	put(a, "bob", browserAt("two"))
	wantBrowsers(t, b, "bob", "one", "two")
	put(b, "bob", browserAt("three"))
	wantBrowsers(t, a, "bob", "two", "three")
	if err := a.Delete(t.Context(), "bob", "two"); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "bob", "never there"); err != nil {
		t.Fatal(err)
	}
	wantBrowsers(t, b, "bob", "three")
	c := newBrowsers(t, s, "c", webpush.Limits{})
	wantBrowsers(t, c, "bob", "three")
	wantBrowsers(t, c, "ann")
}

// What the stream had last is forgotten by the time that a process begins.
func TestBrowsersAfterTheLastWasForgotten(t *testing.T) {
	s := startNATS(t)
	a := newBrowsers(t, s, "a", webpush.Limits{})
	for _, endpoint := range []string{"stays", "goes"} {
		if err := a.Put(t.Context(), "ann", browserAt(endpoint)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Delete(t.Context(), "ann", "goes"); err != nil {
		t.Fatal(err)
	}
	a.Forget(t, "goes")
	wantBrowsers(t, newBrowsers(t, s, "b", webpush.Limits{}), "ann", "stays")
}

func TestBrowsersHaveLimits(t *testing.T) {
	s := startNATS(t)
	b := newBrowsers(t, s, "a", webpush.Limits{MaxSubscriptions: 3, MaxPerUser: 2})
	var refused *bus.Error
	for i := range 5 {
		err := b.Put(t.Context(), fmt.Sprint("user", i), browserAt(fmt.Sprint("browser", i)))
		if i < 3 && err != nil || i >= 3 && (!errors.As(err, &refused) || refused.Code != bus.Busy) {
			t.Errorf("browser %d: %v", i, err)
		}
	}
	if err := b.Put(t.Context(), "user1", browserAt("browser0")); err != nil {
		t.Errorf("one that is known: %v", err)
	}
	c := newBrowsers(t, s, "c", webpush.Limits{})
	for i := 3; i < 5; i++ {
		wantBrowsers(t, c, fmt.Sprint("user", i))
	}
	s.Shutdown()
	s.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.Put(ctx, "user1", browserAt("browser0")); !errors.As(err, &refused) || refused.Code != bus.Unavailable {
		t.Errorf("NATS is away: %v", err)
	}
}
