package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// compile builds a client program and returns its path.
func compile(t *testing.T, source string, command ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(source)+".out")
	args := append([]string{"-Wall", "-Wextra", "-Werror", "-o", program, source}, command[1:]...)
	if out, err := exec.Command(command[0], args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, out)
	}
	return program
}

// flags are what pkg-config says of a library.
func flags(t *testing.T, library string) []string {
	t.Helper()
	out, err := exec.Command("pkg-config", "--cflags", "--libs", library).Output()
	if err != nil {
		t.Fatalf("%s is not installed: scripts/setup installs it", library)
	}
	return strings.Fields(string(out))
}

// Debian's Python, which has Debian's nbxmpp.
const python = "/usr/bin/python3"

// A recovery is how a client goes on when its connections are cut.
type recovery string

const (
	unnoticed recovery = "repeats what was lost"
	resumed   recovery = "resumes its stream (XEP-0198)"
	again     recovery = "logs in again"
)

func TestNativeClients(t *testing.T) {
	if _, err := os.Stat(python); err != nil {
		t.Fatal(err)
	}
	gloox := compile(t, "native/gloox.cpp", append([]string{"g++"}, flags(t, "gloox")...)...)
	purple := compile(t, "native/purple.c", append([]string{"gcc"}, flags(t, "purple")...)...)
	nbxmpp := []string{python, "native/nbxmpp-client.py"}
	gateway := startGateway(t)

	for n, test := range []struct {
		name   string
		client []string
		peer   []string // on the other transport
		back   recovery // from a cut connection
	}{
		{"gloox pipelines BOSH", []string{gloox, "pipelining"}, nbxmpp, again},
		{"gloox keeps its connections", []string{gloox, "persistent"}, nbxmpp, again},
		{"gloox speaks HTTP 1.0", []string{gloox, "legacy"}, nbxmpp, again},
		{"libpurple speaks BOSH", []string{purple}, nbxmpp, unnoticed},
		{"nbxmpp speaks WebSocket", nbxmpp, []string{gloox, "persistent"}, resumed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			line := newWire(t, gateway)
			c := start(t, line.Addr().String(), 2*n+1, test.client...)
			peer := start(t, gateway, 2*n+2, test.peer...)
			at, peerAt := c.login(), peer.login()

			const text = `<&> "quoted" ' é 😀`
			c.send(peerAt, text)
			peer.wantMessage(text)
			peer.send(at, text)
			c.wantMessage(text)

			switch test.back {
			case unnoticed:
				line.cutRequest()
			case again:
				line.cutRequest()
				at = c.login()
			case resumed:
				line.cut()
				if e := c.await("online"); !e.Resumed {
					t.Fatalf("a new session: %+v", e)
				}
			}
			peer.send(at, "to the one that was cut off")
			c.wantMessage("to the one that was cut off")
			c.send(peerAt, "still here")
			peer.wantMessage("still here")

			c.logout()
			peer.logout()
		})
	}
}
