// Package embedded runs a server of NATS with JetStream in this process: alone, or
// as one of a cluster of such servers. It is the only package of the library that
// knows the server; who has servers of NATS needs none of it.
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options of a [Server].
type Options struct {
	// Name is the server's own in the cluster.
	Name string
	// Dir is where streams are kept.
	Dir string
	// Listen is where other servers of the cluster connect to: an address with a port.
	// Empty: it is alone, and nothing is listened on.
	Listen string
	// Routes are the addresses of the servers of the cluster, its own included or not.
	Routes []string
	// Secret is what servers of the cluster show each other. Empty: nothing is asked
	// for, which is for networks that nobody else is in.
	Secret string
	// MaxPayload bounds one message, in bytes. Zero: 8 MiB.
	MaxPayload int32
	// Logger takes what the server says: its errors and warnings, and the rest as
	// Debug. Nil: none.
	Logger *slog.Logger
}

const (
	clusterName = "mochibosh"
	user        = "mochibosh"
)

// routePing is how often servers of the cluster ask each other whether they are there.
const routePing = time.Second

// A Server runs until it is stopped.
type Server struct {
	nats *server.Server
	own  string // what its clients show it
}

// Start starts a server, and returns when it can be connected to.
func Start(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	own := rand.Text()
	opts := &server.Options{
		ServerName: o.Name,
		DontListen: true, // clients are in this process
		Username:   user,
		Password:   own,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   o.Dir,
		MaxPayload: o.MaxPayload,
	}
	if opts.MaxPayload == 0 {
		opts.MaxPayload = 8 << 20
	}
	if o.Listen != "" {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("embedded: port %q is no number", port)
		}
		// One that listens for no clients does not for its cluster either.
		opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
		opts.Cluster = server.ClusterOpts{
			Name: clusterName, Host: host, Port: n, NoAdvertise: true,
			PingInterval: routePing, MaxPingsOut: 2, // who does not answer is soon not counted on
		}
		if o.Secret != "" {
			opts.Cluster.Username, opts.Cluster.Password = user, o.Secret
		}
		for _, r := range o.Routes {
			u := &url.URL{Scheme: "nats", Host: strings.TrimPrefix(r, "nats://")}
			if o.Secret != "" {
				u.User = url.UserPassword(user, o.Secret)
			}
			opts.Routes = append(opts.Routes, u)
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(&logger{o.Logger}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, errors.New("embedded: the server of NATS does not start")
	}
	return &Server{s, own}, nil
}

// Connect connects to the server, within the process.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(opts, nats.InProcessServer(s.nats), nats.UserInfo(user, s.own))...)
}

// Stop stops the server, and returns when all is on the disk, or the context is done.
func (s *Server) Stop(ctx context.Context) error {
	s.nats.Shutdown()
	done := make(chan struct{})
	go func() {
		s.nats.WaitForShutdown()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// logger is what the server logs to.
type logger struct{ to *slog.Logger }

func (l *logger) Noticef(format string, v ...any) { l.to.Debug("nats: " + fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.to.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l *logger) Fatalf(format string, v ...any)  { l.to.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.to.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  {}
func (l *logger) Tracef(format string, v ...any)  {}
