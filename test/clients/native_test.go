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

func TestNativeClients(t *testing.T) {
	if _, err := os.Stat(python); err != nil {
		t.Fatal(err)
	}
	gloox := compile(t, "native/gloox.cpp", append([]string{"g++"}, flags(t, "gloox")...)...)
	purple := compile(t, "native/purple.c", append([]string{"gcc"}, flags(t, "purple")...)...)
	nbxmpp := []string{python, "native/nbxmpp-client.py"}
	gateway := startGateway(t, shared.addr)
	for n, test := range []scenario{
		{"gloox pipelines BOSH", []string{gloox, "pipelining"}, nbxmpp, again},
		{"gloox keeps its connections", []string{gloox, "persistent"}, nbxmpp, again},
		{"gloox speaks HTTP 1.0", []string{gloox, "legacy"}, nbxmpp, again},
		{"libpurple speaks BOSH", []string{purple}, nbxmpp, unnoticed},
		{"nbxmpp speaks WebSocket", nbxmpp, []string{gloox, "persistent"}, resumed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.play(t, gateway, ours, 2*n+1)
		})
	}
}
