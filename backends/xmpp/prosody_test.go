package xmpp

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// startProsody starts a server on loopback with two users, ann and bob, and a
// certificate; all of it in a temporary folder.
func startProsody(t *testing.T) (addr string, ca *x509.CertPool) {
	t.Helper()
	program, err := exec.LookPath("prosody")
	if err != nil {
		t.Fatal("prosody is not installed: scripts/setup installs it")
	}
	dir := t.TempDir()
	cert, ca := certificate(t, "im.example", time.Now().Add(-time.Minute))
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	files := map[string][]byte{
		"cert.pem":                           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		"key.pem":                            pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"data/im%2eexample/accounts/ann.dat": []byte(`return { ["password"] = "secret" };`),
		"data/im%2eexample/accounts/bob.dat": []byte(`return { ["password"] = "secret" };`),
		"config.lua": fmt.Appendf(nil, `
run_as_root = true
daemonize = false
pidfile = "%[1]s/pid"
data_path = "%[1]s/data"
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]s }
modules_enabled = { "roster", "saslauth", "tls", "disco" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
VirtualHost "im.example"
ssl = { key = "%[1]s/key.pem", certificate = "%[1]s/cert.pem" }
`, dir, port),
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-F", "--config", filepath.Join(dir, "config.lua"))
	var log bytes.Buffer
	ready := make(chan struct{}, 1)
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		log.Write(p)
		if bytes.Contains(log.Bytes(), []byte("Activated service 'c2s'")) {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
		return len(p), nil
	})
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("prosody said:\n%s", log.Bytes())
		}
	})
	select {
	case <-ready:
	case <-exited:
		t.Fatal("prosody ended")
	case <-time.After(20 * time.Second):
		t.Fatal("prosody does not listen")
	}
	return addr, ca
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// until returns the next frame that contains the text.
func (w *world) until(text string) string {
	w.t.Helper()
	for {
		frame := w.next()
		if frame == "" {
			w.t.Fatalf("ended before %s: %v", text, w.end)
		}
		if strings.Contains(frame, text) {
			return frame
		}
	}
}

// login does what every XMPP client does first.
func (w *world) login(user string) {
	w.t.Helper()
	w.say(clientOpen)
	w.until("<open ")
	if f := w.until("<stream:features"); !strings.Contains(f, ">PLAIN<") || strings.Contains(f, "starttls") {
		w.t.Fatalf("features: %s", f)
	}
	w.say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00secret")) + `</auth>`)
	w.until("<success")
	w.say(clientOpen)
	w.until("<open ")
	w.until("urn:ietf:params:xml:ns:xmpp-bind")
	w.say(`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`)
	w.until("<jid>" + user + "@im.example/r</jid>")
}

func TestProsody(t *testing.T) {
	addr, ca := startProsody(t)
	for name, mode := range map[string]TLSMode{"in clear": NoTLS, "with STARTTLS": STARTTLS} {
		t.Run(name, func(t *testing.T) {
			opts := func() *Options {
				return &Options{
					Routes: map[string]Route{"im.example": {Addr: addr, TLS: mode, RootCAs: ca}},
					Dial: func(ctx context.Context, network, a string) (net.Conn, error) {
						return new(net.Dialer).DialContext(ctx, network, a)
					},
				}
			}
			ann, bob := newWorld(t, opts()), newWorld(t, opts())
			ann.login("ann")
			bob.login("bob")
			for n := range 20 {
				ann.say(fmt.Sprintf(`<message xmlns='jabber:client' to='bob@im.example/r' id='%d'><body>to b &lt;%d&gt; ü</body></message>`, n, n))
				if got := bob.until("<message"); !strings.Contains(got, fmt.Sprintf("to b &lt;%d&gt; ü", n)) || !strings.Contains(got, "xmlns='jabber:client'") {
					t.Fatalf("bob got %s", got)
				}
				bob.say(fmt.Sprintf(`<message xmlns='jabber:client' to='ann@im.example/r'><body>to a %d</body></message>`, n))
				if got := ann.until("<message"); !strings.Contains(got, fmt.Sprintf("to a %d", n)) || !strings.Contains(got, "from='bob@im.example/r'") {
					t.Fatalf("ann got %s", got)
				}
			}
			for _, w := range []*world{ann, bob} {
				w.say(clientClose)
				w.wantEnd("a clean end", transport.Normal, "")
			}
		})
	}
}
