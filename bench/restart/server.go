package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A server is mochibosh as a process, one after the other.
type server struct {
	dir, url string
	args     []string
	out      io.Writer
	process  *exec.Cmd
}

// newServer builds it.
func newServer(ctx context.Context, s setup) (*server, error) {
	dir, err := os.MkdirTemp("", "restart")
	if err != nil {
		return nil, err
	}
	sv := &server{dir: dir, out: io.Discard}
	if s.verbose {
		sv.out = os.Stderr
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", sv.program(), "github.com/mochibosh/mochibosh/cmd/mochibosh")
	if said, err := build.CombinedOutput(); err != nil {
		sv.remove()
		return nil, fmt.Errorf("go build: %w: %s", err, said)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	sv.url = "http://" + address
	sv.args = []string{
		"serve", "--listen", address, "--dev", "--max-sessions-per-ip", "0", "--session-rate", "0", "--log-level", "warn",
		"--state-dir", filepath.Join(dir, "state"), "--durability", s.durability, "--shutdown-spread", s.spread.String(),
	}
	return sv, nil
}

func (s *server) program() string { return filepath.Join(s.dir, "mochibosh") }

// start returns when it can be reached.
func (s *server) start() error {
	s.process = exec.Command(s.program(), s.args...)
	s.process.Stdout, s.process.Stderr = s.out, s.out
	if err := s.process.Start(); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get(s.url + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the server does not get ready")
}

// restart ends the process and starts the next, as a supervisor does. It returns
// for how long there was none that served.
func (s *server) restart(how syscall.Signal) (down time.Duration, err error) {
	if err := s.process.Process.Signal(how); err != nil {
		return 0, err
	}
	s.process.Wait()
	ended := time.Now()
	err = s.start()
	return time.Since(ended), err
}

func (s *server) remove() {
	if s.process != nil {
		s.process.Process.Kill()
		s.process.Wait()
	}
	os.RemoveAll(s.dir)
}
