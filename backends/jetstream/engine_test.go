package jetstream_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/enginetest"
	"github.com/mochibosh/mochibosh/backends/jetstream"
)

// startNATS starts a server with JetStream in this process.
func startNATS(t testing.TB) *server.Server {
	t.Helper()
	return startNATSOn(t, &server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir()})
}

func startNATSOn(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func connect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func newEngine(t testing.TB, conn *nats.Conn, node string, o *bus.Options) *jetstream.Engine {
	t.Helper()
	e, err := jetstream.NewEngine(context.Background(), jetstream.Options{
		Conn: conn, Node: node, Bus: o, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) (a, b bus.Engine) {
		s := startNATS(t)
		return newEngine(t, connect(t, s), "a", enginetest.Options()), newEngine(t, connect(t, s), "b", enginetest.Options())
	})
}

// NATS goes away and comes back: what could not be published is refused, and what
// was published while a process could not hear it comes all the same.
func TestNATSComesBack(t *testing.T) {
	dir := t.TempDir()
	o := func(port int) *server.Options {
		return &server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, JetStream: true, StoreDir: dir}
	}
	s := startNATSOn(t, o(-1))
	port := s.Addr().(*net.TCPAddr).Port
	conn := func() *nats.Conn {
		c, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	made := func(node string) *jetstream.Engine {
		e, err := jetstream.NewEngine(t.Context(), jetstream.Options{Conn: conn(), Node: node, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	a, b := made("a"), made("b")
	k := &counter{came: make(chan bus.Message, 100)}
	if _, _, err := b.Subscribe(t.Context(), "t", k); err != nil {
		t.Fatal(err)
	}
	publish := func() error {
		_, err := a.Publish(t.Context(), "t", bus.Publication{Data: []byte("1")})
		return err
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	k.want(t, 1)
	s.Shutdown()
	s.WaitForShutdown()
	var refused *bus.Error
	if err := publish(); !errors.As(err, &refused) || refused.Code != bus.Unavailable {
		t.Errorf("got %v", err)
	}
	startNATSOn(t, o(port))
	for began := time.Now(); publish() != nil; {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it does not come back")
		}
	}
	k.want(t, 2)
}

// counter is a sink that wants offsets without gaps.
type counter struct {
	came chan bus.Message
	last uint64
}

func (c *counter) Deliver(m bus.Message)      { c.came <- m }
func (c *counter) Joined(bus.Member)          {}
func (c *counter) Left(bus.Member)            {}
func (c *counter) Evicted(bus.Member)         {}
func (c *counter) Room(context.Context) error { return nil }

func (c *counter) want(t *testing.T, offset uint64) {
	t.Helper()
	for c.last < offset {
		select {
		case m := <-c.came:
			if m.Offset != c.last+1 {
				t.Fatalf("%d after %d", m.Offset, c.last)
			}
			c.last = m.Offset
		case <-time.After(20 * time.Second):
			t.Fatalf("%d does not come", offset)
		}
	}
}

// A process dies: its members are gone after a while, but for those that are at
// another by then.
func TestMembersOfTheDead(t *testing.T) {
	jetstream.Hasten(t, 300*time.Millisecond)
	s := startNATS(t)
	conn := connect(t, s)
	a, b := newEngine(t, conn, "a", nil), newEngine(t, connect(t, s), "b", nil)
	for _, id := range []string{"stays", "moves", "lost"} {
		if err := a.Join(t.Context(), "t", bus.Member{ID: id, Info: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	k := &guests{left: make(chan string, 10)}
	if _, _, err := b.Subscribe(t.Context(), "t", k); err != nil {
		t.Fatal(err)
	}
	if err := b.Join(t.Context(), "t", bus.Member{ID: "moves", Info: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	conn.Close() // as a process that is killed
	left := map[string]bool{}
	for range 2 {
		select {
		case id := <-k.left:
			left[id] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v left", left)
		}
	}
	members, n, err := b.Members(t.Context(), "t", 9)
	if err != nil || n != 1 || members[0].ID != "moves" || left["moves"] {
		t.Errorf("there are %v, %d, %v; %v left", members, n, err, left)
	}
	c := newEngine(t, connect(t, s), "c", nil)
	if _, n, err := c.Members(t.Context(), "t", 9); err != nil || n != 1 {
		t.Errorf("whoever asks later finds %d, %v", n, err)
	}
}

// A process is taken for dead that is not: it learns that its members are said to be
// gone, and they can come back.
func TestMembersOfWhoIsTakenForDead(t *testing.T) {
	s := startNATS(t)
	a, b := newEngine(t, connect(t, s), "a", nil), newEngine(t, connect(t, s), "b", nil)
	k := &evicted{ids: make(chan string, 10)}
	if _, _, err := a.Subscribe(t.Context(), "t", k); err != nil {
		t.Fatal(err)
	}
	join := func() {
		t.Helper()
		if err := a.Join(t.Context(), "t", bus.Member{ID: "m", Info: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	join()
	if _, n, err := b.Members(t.Context(), "t", 9); err != nil || n != 1 {
		t.Fatalf("%d members, %v", n, err)
	}
	if err := a.Join(t.Context(), "t", bus.Member{ID: "leaves", Info: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := a.Leave(t.Context(), "t", "leaves"); err != nil {
		t.Fatal(err)
	}
	b.Bury(a)
	select {
	case id := <-k.ids:
		if id != "m" {
			t.Errorf("%s left by itself", id)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody says so")
	}
	join()
	for n := 0; n != 1; { // it has to be heard
		var err error
		if _, n, err = b.Members(t.Context(), "t", 9); err != nil {
			t.Fatal(err)
		}
	}
}

type guests struct {
	counter
	left chan string
}

func (g *guests) Left(m bus.Member) { g.left <- m.ID }

// An evicted knows only who was taken for gone.
type evicted struct {
	counter
	ids chan string
}

func (e *evicted) Evicted(m bus.Member) { e.ids <- m.ID }

// What was published already is not published again, not even by a process that asks a
// server of NATS which is behind the others.
func TestPublishedOnceThoughAServerIsBehind(t *testing.T) {
	s := startNATS(t)
	a, b := newEngine(t, connect(t, s), "a", nil), newEngine(t, connect(t, s), "b", nil)
	command := bus.Publication{Data: []byte("1"), Origin: bus.Origin{Session: "s", Stream: "bus", Number: 1}}
	first, err := a.Publish(t.Context(), "t", command)
	if err != nil {
		t.Fatal(err)
	}
	asked := b.Behind()
	again, err := b.Publish(t.Context(), "t", command)
	if err != nil || again.Position != first.Position {
		t.Errorf("published at %v, %v, and before at %v", again.Position, err, first.Position)
	}
	if !asked() {
		t.Error("nobody was asked")
	}
}
