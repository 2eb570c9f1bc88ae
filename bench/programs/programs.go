//go:build linux

// Package programs builds and runs the programs of a benchmark.
package programs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

const (
	module  = "github.com/mochibosh/mochibosh/"
	gateway = "cmd/mochibosh"
)

// Build compiles packages of the module into the folder. The gateway, when
// profiled, has an address for profiles; otherwise it is as users have it.
func Build(ctx context.Context, dir string, profiled bool, packages ...string) error {
	for _, pkg := range packages {
		args := []string{"build", "-o", dir + "/"}
		if profiled && pkg == gateway {
			overlay, err := profiler(dir)
			if err != nil {
				return err
			}
			args = append(args, "-overlay", overlay)
		}
		if err := run(exec.CommandContext(ctx, "go", append(args, module+pkg)...)); err != nil {
			return fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	return nil
}

// BuildModule compiles the program of another module, in its folder, into dir.
func BuildModule(ctx context.Context, dir, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", ".")
	cmd.Dir = folder
	if err := run(cmd); err != nil {
		return fmt.Errorf("build %s: %w", folder, err)
	}
	return nil
}

func run(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// Running programs are the parts of a system.
type Running struct {
	PIDs     map[string]int // by part
	Profiles string         // address of the gateway's profiles
	stops    []func()
}

// New returns no running programs.
func New() *Running { return &Running{PIDs: map[string]int{}} }

// Add takes in what somebody else started.
func (r *Running) Add(part string, pid int, stop func()) {
	r.PIDs[part] = pid
	r.stops = append(r.stops, stop)
}

// Stop ends all of them, the youngest first.
func (r *Running) Stop() {
	for i := len(r.stops); i > 0; i-- {
		r.stops[i-1]()
	}
}

// Start runs a program, and what it starts itself, until Stop.
func (r *Running) Start(part string, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.Add(part, cmd.Process.Pid, func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return nil
}

// Announced runs a program that prints the address it listens at.
func (r *Running) Announced(part string, cmd *exec.Cmd) (addr string, err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := r.Start(part, cmd); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Listening runs a program that is told where to listen, and returns when it
// answers there. What it says goes into a file.
func (r *Running) Listening(part, log, addr string, cmd *exec.Cmd) error {
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd.Stderr = file
	if err := r.Start(part, cmd); err != nil {
		return err
	}
	for range 500 {
		if resp, err := http.Get("http://" + addr + "/"); err == nil {
			return resp.Body.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	said, err := os.ReadFile(log)
	return errors.Join(fmt.Errorf("%s does not listen at %s: %s", cmd.Path, addr, said), err)
}

// Gateway runs the gateway as operators would, with more settings; only the
// limits by address are off, for all clients have the same.
func (r *Running) Gateway(ctx context.Context, dir, part string, more ...string) (addr string, err error) {
	if addr, err = xmpptest.FreeAddress(); err != nil {
		return "", err
	}
	if r.Profiles, err = xmpptest.FreeAddress(); err != nil {
		return "", err
	}
	args := append([]string{"serve", "--listen", addr, "--max-sessions-per-ip", "0", "--session-rate", "0"}, more...)
	cmd := exec.CommandContext(ctx, filepath.Join(dir, filepath.Base(gateway)), args...)
	cmd.Env = append(os.Environ(), "BENCH_PROFILES="+r.Profiles)
	return addr, r.Listening(part, filepath.Join(dir, "mochibosh.log"), addr, cmd)
}
