//go:build linux

package usage

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// What a process and its children use counts, and no less than what was used.
func TestMeter(t *testing.T) {
	// The shell starts another one, which works, says so, and waits for its input to end.
	cmd := exec.Command("sh", "-c", "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x'; true")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}

	own, err := Parse(fmt.Sprintf("shell=%d", cmd.Process.Pid))
	if err != nil || len(own.pids) != 2 {
		t.Fatalf("%+v, %v", own, err)
	}
	if d, err := own.CPU(); d.Milliseconds() < 5 || err != nil {
		t.Errorf("used %v, %v", d, err)
	}
	if n, err := own.Resident(); n < 100<<10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}

	self, err := Parse(fmt.Sprintf("self=%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Start([]Server{self})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		_ = fmt.Sprint(m)
	}
	used, err := m.CPU()
	if err != nil || used["self"] <= 0 {
		t.Errorf("%v, %v", used, err)
	}
	if share, err := m.Own(); share <= 0 || err != nil {
		t.Errorf("%v, %v", share, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "4711", "a=b"} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
