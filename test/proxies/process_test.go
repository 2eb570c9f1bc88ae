package proxies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up on it.
const patience = 20 * time.Second

// program is the server, built once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "proxies")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "mochibosh")
	build := exec.Command("go", "build", "-o", program, "../../cmd/mochibosh")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	code := 1
	if err := errors.Join(build.Run(), makeCertificate(dir)); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// A process is a program that runs until the end of the test.
type process struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	exited chan struct{}

	mu      sync.Mutex
	said    bytes.Buffer
	changed chan struct{} // closed when more was said; nil: nobody waits
}

// run starts a program, which may begin others: all of them end with the test.
func run(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Fatalf("%s is not installed: scripts/setup installs it", name)
		}
	}
	p := &process{t: t, name: filepath.Base(name), exited: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
		if t.Failed() {
			log := p.log()
			t.Logf("%s said:\n%s", p.name, log[max(0, len(log)-10_000):])
		}
	})
	return p
}

// Write implements io.Writer, for the process.
func (p *process) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
	return p.said.Write(data)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// until waits until the process has said a text so often.
func (p *process) until(times int, text string) {
	p.t.Helper()
	for late := time.After(patience); ; {
		p.mu.Lock()
		n := strings.Count(p.said.String(), text)
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		if n >= times {
			return
		}
		select {
		case <-changed:
		case <-p.exited:
			p.t.Fatalf("%s ended before it said %q", p.name, text)
		case <-late:
			p.t.Fatalf("%s did not say %q", p.name, text)
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// listens waits until somebody accepts at the address.
func (p *process) listens(addr string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		c, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.exited:
			p.t.Fatalf("%s ended", p.name)
		case <-ctx.Done():
			p.t.Fatalf("%s does not listen at %s: %v", p.name, addr, err)
		}
	}
}
