package xmpptest

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Password is that of every user.
const Password = "secret"

// Options say what a server is like. Zero fields stand for what is named.
type Options struct {
	Domain string   // im.example
	Users  []string // alice, bob
	// Component is the domain of an external component (XEP-0114), whose secret is
	// Password. Prosody only.
	Component string
}

// A Server is a running XMPP server.
type Server struct {
	Domain string
	Users  []string

	// Addr takes XMPP over TCP; it offers STARTTLS and does without.
	Addr string
	// DirectTLS takes it with TLS first.
	DirectTLS string
	// Proxied is like Addr, behind a header of the PROXY protocol. Prosody has
	// none.
	Proxied string
	// Components is where an external component connects to, if there is one.
	Components string
	// HTTP is host:port of the server's own BOSH at /http-bind and WebSocket at
	// /xmpp-websocket.
	HTTP string
	// CA has signed the server's certificate; CAFile has it in PEM.
	CA     *x509.CertPool
	CAFile string

	name   string
	dir    string
	start  func() *exec.Cmd
	marker string // what it says when its users can log in, if anything

	cmd    *exec.Cmd
	exited chan struct{}
	log    log
}

// startTimeout is how long a server may take until it listens.
const startTimeout = 60 * time.Second

// newServer makes the folder of a server, its certificate and its ports.
func newServer(name string, opts *Options) (*Server, error) {
	s := &Server{name: name, Domain: "im.example", Users: []string{"alice", "bob"}}
	if opts != nil && opts.Domain != "" {
		s.Domain = opts.Domain
	}
	if opts != nil && opts.Users != nil {
		s.Users = opts.Users
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "xmpptest-"); err != nil {
		return nil, err
	}
	s.CAFile = s.path("cert.pem")
	s.CA, err = writeCertificate(s.Domain, s.CAFile, s.path("key.pem"))
	if err = errors.Join(err, freePorts(&s.Addr, &s.DirectTLS, &s.Proxied, &s.HTTP)); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// freePorts finds loopback addresses where nobody listens.
func freePorts(addrs ...*string) (err error) {
	for _, addr := range addrs {
		if *addr, err = FreeAddress(); err != nil {
			return err
		}
	}
	return nil
}

// FreeAddress returns host:port on loopback where nobody listens, for a server
// that cannot choose one itself. The port is below those that the system gives
// to connections, one of which might have it before the server does.
func FreeAddress() (string, error) {
	for try := 0; ; try++ {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
		if try == 100 {
			return "", err
		}
	}
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func (s *Server) write(name, content string) error {
	path := s.path(name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
}

// begin runs the server for the first time, unless preparing it failed.
func (s *Server) begin(err error) error {
	if err == nil {
		err = s.run()
	}
	if err != nil {
		s.Remove()
	}
	return err
}

// run starts the process and waits until it is ready.
func (s *Server) run() error {
	from := len(s.Log())
	s.cmd, s.exited = s.start(), make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { s.cmd.Wait(); close(s.exited) }()
	late := time.After(startTimeout)
	for {
		if strings.Contains(s.Log()[from:], s.marker) && s.listens() {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("%s ended:\n%s", s.name, s.Log())
		case <-late:
			s.Stop()
			return fmt.Errorf("%s does not listen:\n%s", s.name, s.Log())
		}
	}
}

func (s *Server) listens() bool {
	for _, addr := range []string{s.Addr, s.DirectTLS, s.Proxied, s.HTTP} {
		if addr == "" {
			continue
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}

// Log returns what the server has said so far.
func (s *Server) Log() string { return s.log.String() }

// PID returns the number of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop kills the server. What it keeps stays, for Restart.
func (s *Server) Stop() {
	s.cmd.Process.Kill()
	<-s.exited
}

// Restart starts the server again, after Stop, at the same ports.
func (s *Server) Restart() error { return s.run() }

// Remove stops the server and takes its folder away.
func (s *Server) Remove() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.Stop()
	}
	os.RemoveAll(s.dir)
}

// log is a buffer for a process and a test.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// forTest has the server end with the test.
func forTest(t testing.TB, s *Server, err error) *Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Remove()
		if t.Failed() {
			t.Logf("%s said:\n%s", s.name, s.Log())
		}
	})
	return s
}

// program finds a server's program.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: scripts/setup installs it", name)
	}
	return path, nil
}

func quoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, ", ")
}
