package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unit = shipped + "systemd/mochibosh.service"

// TestSystemd has systemd say what it thinks of the unit: nothing, and that it
// exposes little.
func TestSystemd(t *testing.T) {
	// The program has to be there for that.
	const program = "/usr/local/bin/mochibosh"
	there := strings.ReplaceAll(text(t, unit), "="+program, "="+mochibosh)
	name := filepath.Join(t.TempDir(), "mochibosh.service")
	if err := os.WriteFile(name, []byte(there), 0o644); err != nil {
		t.Fatal(err)
	}
	analyze(t, "verify", name)
	// Of 100. What is left is that it talks to the network, as itself.
	analyze(t, "security", "--offline=yes", "--no-pager", "--threshold=15", name)
}

func analyze(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil || args[0] == "verify" && len(out) > 0 {
		t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
	}
}
