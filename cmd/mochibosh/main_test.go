package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram has the test binary be the program itself: a process of its own,
// with real signals.
const asProgram = "RUN_AS_MOCHIBOSH"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A process is a running `mochibosh serve`.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	url     string // of the first address
	address []string
	exited  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
	met *sync.Cond
}

// start runs the program until the end of the test; it listens on free ports,
// and lets everybody do everything unless told otherwise.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, exited: make(chan struct{})}
	p.met = sync.NewCond(&p.mu)
	p.cmd = program(append([]string{"serve", "--listen=127.0.0.1:0", "--dev"}, args...)...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("mochibosh said:\n%s", p.said())
		}
	})
	for range 1 + strings.Count(strings.Join(args, " "), "listen") {
		p.address = append(p.address, p.until(`msg=listening address=(\S+)`))
	}
	p.url = "http://" + p.address[0]
	return p
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func (p *process) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		p.met.Broadcast()
	}
	p.cmd.Wait()
	close(p.exited)
	p.met.Broadcast()
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// until waits for a line in the log that no call before has returned, and
// returns the match of the pattern's group.
func (p *process) until(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.AfterFunc(20*time.Second, func() { p.cmd.Process.Kill() })
	defer timeout.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if m := re.FindSubmatchIndex(p.log.Bytes()); m != nil {
			found := string(p.log.Bytes()[m[len(m)-2]:m[len(m)-1]])
			line := p.log.Bytes()[m[0]:m[1]]
			copy(line, bytes.Repeat([]byte("~"), len(line))) // used up
			return found
		}
		select {
		case <-p.exited:
			p.t.Fatalf("ended before it said %s", pattern)
		default:
			p.met.Wait()
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wantExit waits for the end of the process.
func (p *process) wantExit(code int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		p.t.Fatal("it goes on")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d", got, code)
	}
}

// An answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// call makes a request; header lines are "Name: value".
func call(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(data)}
}

func (a answer) wantStatus(t *testing.T, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: got %d %q, want %d", a.Request.Method, a.Request.URL, a.StatusCode, a.body, status)
	}
	return a
}

func (a answer) wantBody(t *testing.T, parts ...string) answer {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("%s %s: got %q, want %q in it", a.Request.Method, a.Request.URL, a.body, part)
		}
	}
	return a
}

func writeFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
