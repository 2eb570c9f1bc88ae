//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/mochibosh/mochibosh/bench/programs"
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
	*programs.Running
	addr string // where its clients connect to
}

// start runs a system from nothing, for so many users.
func start(ctx context.Context, dir string, sys system, users int) (r *running, err error) {
	r = &running{Running: programs.New()}
	defer func() {
		if err != nil {
			r.Stop()
		}
	}()
	var behind, web string
	switch sys.server {
	case "echo":
		behind, err = r.Announced(server, exec.CommandContext(ctx, filepath.Join(dir, "echoserver")))
	case "net/http":
		web, err = r.Announced(server, exec.CommandContext(ctx, filepath.Join(dir, "httpecho")))
	default:
		begin := map[string]func(*xmpptest.Options) (*xmpptest.Server, error){"prosody": xmpptest.NewProsody, "ejabberd": xmpptest.NewEjabberd}[sys.server]
		opts := &xmpptest.Options{Domain: domain}
		for i := range users {
			opts.Users = append(opts.Users, fmt.Sprint("u", i))
		}
		var s *xmpptest.Server
		if s, err = begin(opts); err == nil {
			r.Add(server, s.PID(), s.Remove)
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
		r.addr, err = r.Gateway(ctx, dir, gateway, "--xmpp", domain+"="+behind+"?tls=off")
	}
	return r, err
}
