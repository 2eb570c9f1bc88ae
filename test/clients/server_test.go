package clients_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

const (
	domain = "localhost"
	users  = 200 // u1 … u200; the password of each is its name
)

// ours are those of our Prosody.
var ours = accounts{contacts: 1, password: user}

// theirs are those of the servers that xmpptest starts.
var theirs = accounts{contacts: 0, password: func(int) string { return xmpptest.Password }}

// A server is a Prosody on loopback, behind the gateway. Each of its users
// has one contact.
type server struct {
	addr string // of its XMPP port
	stop func()
	log  lockedBuffer
}

func startProsody(dir string) (*server, error) {
	program, err := exec.LookPath("prosody")
	if err != nil {
		return nil, fmt.Errorf("prosody is not installed: scripts/setup installs it")
	}
	s := &server{addr: freeAddress()}
	_, port, _ := net.SplitHostPort(s.addr)
	files := map[string]string{
		"config.lua": fmt.Sprintf(`
run_as_root = true
daemonize = false
pidfile = "%[1]s/pid"
data_path = "%[1]s/data"
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]s }
modules_enabled = { "roster", "saslauth", "disco", "smacks", "ping" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
VirtualHost "%[3]s"
`, dir, port, domain),
	}
	for n := 1; n <= users; n++ {
		data := "data/" + domain
		files[fmt.Sprintf("%s/accounts/%s.dat", data, user(n))] = fmt.Sprintf(`return { ["password"] = "%s" };`, user(n))
		files[fmt.Sprintf("%s/roster/%s.dat", data, user(n))] = fmt.Sprintf(
			`return { [false] = { ["version"] = 1; }; ["%s"] = { ["subscription"] = "both"; ["groups"] = {}; }; };`, jid(n%users+1))
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(program, "-F", "--config", filepath.Join(dir, "config.lua"))
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	s.stop = func() { cmd.Process.Kill(); <-exited }
	if err := s.log.await("Activated service 'c2s'", exited, 20*time.Second); err != nil {
		s.stop()
		return nil, fmt.Errorf("prosody: %w\n%s", err, s.log.String())
	}
	return s, nil
}

func user(n int) string { return fmt.Sprintf("u%d", n) }

func names(n int) (all []string) {
	for i := range n {
		all = append(all, user(i+1))
	}
	return all
}

func jid(n int) string { return user(n) + "@" + domain }

// plain is what SASL PLAIN sends for a user.
func plain(n int) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user(n) + "\x00" + user(n)))
}

// freeAddress is one on loopback that nobody listens on.
func freeAddress() string {
	addr, err := xmpptest.FreeAddress()
	if err != nil {
		panic(err)
	}
	return addr
}

// A lockedBuffer collects what a program prints while others look.
type lockedBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits until the text was printed.
func (b *lockedBuffer) await(text string, exited <-chan struct{}, limit time.Duration) error {
	late := time.After(limit)
	for {
		b.mu.Lock()
		found := bytes.Contains(b.buf.Bytes(), []byte(text))
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-exited:
			return fmt.Errorf("ended before it said %q", text)
		case <-late:
			return fmt.Errorf("did not say %q", text)
		}
	}
}

// shared is the server of all tests of the package.
var shared *server

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clients")
	if err == nil {
		shared, err = startProsody(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.stop()
	os.RemoveAll(dir)
	os.Exit(code)
}
