package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Real servers behind a real balancer, each on a host of its own, and what may happen
// to them, briefly.
func TestNothingIsLost(t *testing.T) {
	program := filepath.Join(t.TempDir(), "cluster")
	if said, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, test := range []struct{ nats, only string }{
		{"embedded", "^a bad network, and a node is killed"},
		{"embedded", "^a bad network, and rolling"},
		{"external", "^partition"},
		{"external", "^a node is stopped"},
	} {
		t.Run(test.nats+" "+strings.Trim(test.only, "^"), func(t *testing.T) {
			cmd := exec.Command(program, "-nats", test.nats, "-only", test.only, "-clients", "24", "-every", "500ms", "-between", "2s", "-away", "6s")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			t.Log(out.String())
			if err != nil {
				t.Error(err)
			}
		})
	}
}
