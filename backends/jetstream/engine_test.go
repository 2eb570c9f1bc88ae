package jetstream_test

import (
	"context"
	"log/slog"
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
