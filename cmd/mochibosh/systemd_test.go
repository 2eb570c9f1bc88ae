package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSupervisor(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	for _, test := range []struct {
		name, environment string
		within            time.Duration
	}{
		{"nobody", "", 0},
		{"nobody with a watchdog", "WATCHDOG_USEC=1000000", 0},
		{"no watchdog", "NOTIFY_SOCKET=/run/x", 0},
		{"a watchdog", "NOTIFY_SOCKET=/run/x WATCHDOG_USEC=1000000", time.Second},
		{"ours", "NOTIFY_SOCKET=/run/x WATCHDOG_USEC=1000000 WATCHDOG_PID=" + pid, time.Second},
		{"another's", "NOTIFY_SOCKET=/run/x WATCHDOG_USEC=1000000 WATCHDOG_PID=1" + pid, 0},
		{"nonsense", "NOTIFY_SOCKET=/run/x WATCHDOG_USEC=soon", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			environment := make(map[string]string)
			for _, pair := range strings.Fields(test.environment) {
				name, value, _ := strings.Cut(pair, "=")
				environment[name] = value
			}
			v := newSupervisor(func(name string) string { return environment[name] })
			if v.within != test.within || v.socket != environment["NOTIFY_SOCKET"] {
				t.Errorf("got %+v", v)
			}
		})
	}
	if err := (supervisor{}).tell("READY=1"); err != nil {
		t.Errorf("nobody: %v", err)
	}
	if err := (supervisor{socket: filepath.Join(t.TempDir(), "none")}).tell("READY=1"); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

// TestSystemd has a server tell systemd how it is, from its start to its end.
func TestSystemd(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "s")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	systemd.SetReadDeadline(time.Now().Add(30 * time.Second))
	// Of the signs of life in between, only one that is asked for counts.
	want := func(told string) {
		t.Helper()
		buf := make([]byte, 1000)
		for {
			n, err := systemd.Read(buf)
			switch got := string(buf[:n]); {
			case err != nil:
				t.Fatalf("%v, want %q", err, told)
			case got == told:
				return
			case !strings.HasPrefix(got, "WATCHDOG=1\n"):
				t.Fatalf("told %q, want %q", got, told)
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", "20000")

	p := start(t)
	want("READY=1\nSTATUS=0 sessions")
	want("WATCHDOG=1\nSTATUS=0 sessions")
	call(t, "POST", p.url+"/push", "{}").wantStatus(t, 201)
	want("WATCHDOG=1\nSTATUS=1 sessions")
	p.cmd.Process.Signal(syscall.SIGHUP)
	want("RELOADING=1\nSTATUS=1 sessions")
	want("READY=1\nSTATUS=1 sessions")
	p.cmd.Process.Signal(syscall.SIGTERM)
	want("STOPPING=1\nSTATUS=1 sessions")
}
