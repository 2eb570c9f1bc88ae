package main

import (
	"syscall"
	"testing"
)

func TestHealth(t *testing.T) {
	p := start(t, "--max-sessions=1", "--shutdown-delay=20s")
	wantOutput(t, p, "ok\n", "", "health")
	wantOutput(t, p, "ready, 0 sessions\n", "", "health", "--ready")

	call(t, "POST", p.url+"/push", "{}").wantStatus(t, 201)
	wantOutput(t, p, "ok\n", "", "health")
	wantFailure(t, p, "too many sessions", "health", "--ready")
	call(t, "GET", p.url+"/readyz", "").wantStatus(t, 503).wantBody(t, "too many sessions")
	// Who is there already may stay.
	call(t, "GET", p.url+"/readyz?exclude=full", "").wantStatus(t, 200)

	p.cmd.Process.Signal(syscall.SIGTERM)
	p.until(`(shutting down)`)
	call(t, "GET", p.url+"/readyz?exclude=full", "").wantStatus(t, 503).wantBody(t, "going down")
	wantOutput(t, p, "ok\n", "", "health")

	p.cmd.Process.Kill()
	<-p.exited
	wantFailure(t, p, "connection refused", "health")
}
