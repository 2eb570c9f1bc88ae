//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// A system is what is measured: a server by itself, or a gateway in front of it.
type system struct {
	gateway bool
	server  string
	carrier string
}

func (s system) String() string {
	if s.gateway {
		return "mochibosh, " + s.server + ", " + s.carrier
	}
	return s.server + ", " + s.carrier
}

// Systems in the order of a turn: what is compared is close in time.
var systems = []system{
	{server: "net/http", carrier: "http"},
	{server: "echo", carrier: "tcp"},
	{gateway: true, server: "echo", carrier: "bosh"},
	{gateway: true, server: "echo", carrier: "ws"},
	{server: "ejabberd", carrier: "tcp"},
	{server: "ejabberd", carrier: "bosh"},
	{gateway: true, server: "ejabberd", carrier: "bosh"},
	{server: "ejabberd", carrier: "ws"},
	{gateway: true, server: "ejabberd", carrier: "ws"},
	{server: "prosody", carrier: "tcp"},
	{server: "prosody", carrier: "bosh"},
	{gateway: true, server: "prosody", carrier: "bosh"},
	{server: "prosody", carrier: "ws"},
	{gateway: true, server: "prosody", carrier: "ws"},
}

const domain = "im.example"

// A running system.
type running struct {
	addr      string         // where its clients connect to
	processes map[string]int // by their part: gateway, server
	stops     []func()
	profiles  string // address
}

func (r *running) stop() {
	for i := len(r.stops); i > 0; i-- {
		r.stops[i-1]()
	}
}

// start runs a system from nothing, for so many users.
func start(ctx context.Context, dir string, sys system, users int) (r *running, err error) {
	r = &running{processes: map[string]int{}}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	var behind, web string
	switch sys.server {
	case "echo":
		behind, err = r.program(ctx, "server", filepath.Join(dir, "echoserver"))
	case "net/http":
		web, err = r.program(ctx, "server", filepath.Join(dir, "httpecho"))
	default:
		begin := map[string]func(*xmpptest.Options) (*xmpptest.Server, error){"prosody": xmpptest.NewProsody, "ejabberd": xmpptest.NewEjabberd}[sys.server]
		opts := &xmpptest.Options{Domain: domain}
		for i := range users {
			opts.Users = append(opts.Users, fmt.Sprint("u", i))
		}
		var s *xmpptest.Server
		if s, err = begin(opts); err == nil {
			r.stops = append(r.stops, s.Remove)
			r.processes["server"] = s.PID()
			behind, web = s.Addr, s.HTTP
		}
	}
	switch {
	case err != nil:
		return r, err
	case sys.carrier == "tcp":
		r.addr = behind
	case !sys.gateway:
		r.addr = web
	default:
		r.addr, err = r.serve(ctx, dir, behind)
	}
	return r, err
}

// program runs a program that prints the address it listens at.
func (r *running) program(ctx context.Context, part, path string) (addr string, err error) {
	cmd := exec.CommandContext(ctx, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := r.run(part, cmd); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

func (r *running) run(part string, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	r.processes[part] = cmd.Process.Pid
	r.stops = append(r.stops, func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return nil
}

// serve runs the gateway as operators would; only the limits by address are
// off, for all clients have the same.
func (r *running) serve(ctx context.Context, dir, behind string) (addr string, err error) {
	if addr, err = xmpptest.FreeAddress(); err != nil {
		return "", err
	}
	if r.profiles, err = xmpptest.FreeAddress(); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "mochibosh"), "serve", "--listen", addr,
		"--xmpp", domain+"="+behind+"?tls=off", "--max-sessions-per-ip", "0", "--session-rate", "0")
	cmd.Env = append(os.Environ(), "BENCH_PROFILES="+r.profiles)
	log, err := os.Create(filepath.Join(dir, "mochibosh.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	cmd.Stderr = log
	if err := r.run("gateway", cmd); err != nil {
		return "", err
	}
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	return "", errors.New("the gateway does not listen: " + string(said))
}
