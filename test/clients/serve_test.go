package clients_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// TestServe has clients come through the program as an operator runs it, which
// speaks TLS with the servers.
func TestServe(t *testing.T) {
	program := build(t)
	opts := &xmpptest.Options{Domain: domain, Users: names(4)}
	prosody, ejabberd := xmpptest.StartProsody(t, opts), xmpptest.StartEjabberd(t, opts)
	for _, test := range []struct{ name, addr, options string }{
		{"Prosody with STARTTLS", prosody.Addr, "tls=starttls&ca=" + prosody.CAFile},
		{"Prosody with direct TLS", prosody.DirectTLS, "tls=direct&ca=" + prosody.CAFile},
		{"ejabberd with STARTTLS", ejabberd.Addr, "tls=starttls&ca=" + ejabberd.CAFile},
		{"ejabberd with direct TLS", ejabberd.DirectTLS, "tls=direct&ca=" + ejabberd.CAFile},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, _ := serve(t, program, "--xmpp="+domain+"="+test.addr+"?"+test.options)
			scenario{
				client: javaScript(t, "strophe.mjs", "bosh"),
				peer:   javaScript(t, "xmpp-client.mjs"),
				back:   unnoticed,
			}.play(t, gateway, theirs, 1)
		})
	}
}

// build builds the program.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "mochibosh")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/mochibosh").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// serve runs the program until it is killed, or the end of the test, and returns
// host:port.
func serve(t *testing.T, program string, args ...string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"serve", "--listen=127.0.0.1:0"}, args...)...)
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	kill = func() {
		cmd.Process.Kill()
		<-exited
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("mochibosh said:\n%s", said.String())
		}
	})
	listening := regexp.MustCompile(`msg=listening address=(\S+) .*\n`)
	if err := said.await("msg=listening", exited, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	m := listening.FindStringSubmatch(said.String())
	if m == nil {
		t.Fatalf("no address in %s", said.String())
	}
	return m[1], kill
}
