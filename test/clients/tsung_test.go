package clients_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// messages is how many each user of tsung sends.
const messages = 4

// TestTsung lets all users in at the same time, fifty more each second.
func TestTsung(t *testing.T) {
	gateway := startGateway(t, shared.addr)
	epmd := startPortMapper(t)
	for _, test := range []struct {
		file string
		want map[string]int // totals that are known
		some map[string]int // totals that are at least so high
	}{
		{
			"tsung/bosh.xml",
			map[string]int{"match": 2 * users, "request_noack": (1 + messages) * users},
			// Each chat goes to somebody who may be leaving; each presence
			// comes back.
			map[string]int{"async_unknown_data_rcv": messages * users},
		},
		{
			"tsung/websocket.xml",
			map[string]int{"websocket_succ": users, "match": (1 + messages) * users},
			nil,
		},
	} {
		t.Run(strings.TrimSuffix(filepath.Base(test.file), ".xml"), func(t *testing.T) {
			got := runTsung(t, test.file, gateway, epmd)
			for name, n := range got {
				if strings.HasPrefix(name, "error") || name == "nomatch" || name == "websocket_fail" {
					t.Errorf("%s: %d", name, n)
				}
			}
			for name, n := range map[string]int{"users_count": users, "finish_users_count": users, "connected": 0} {
				if got[name] != n {
					t.Errorf("%s: %d, want %d", name, got[name], n)
				}
			}
			for name, n := range test.want {
				if got[name] != n {
					t.Errorf("%s: %d, want %d", name, got[name], n)
				}
			}
			for name, n := range test.some {
				if got[name] < n {
					t.Errorf("%s: %d, want %d or more", name, got[name], n)
				}
			}
		})
	}
}

// startPortMapper runs Erlang's port mapper, which would otherwise be left
// running by tsung, and returns its port.
func startPortMapper(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(freeAddress())
	cmd := exec.Command("epmd", "-address", "127.0.0.1", "-port", port)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: scripts/setup installs tsung, and Erlang with it", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return port
}

// runTsung runs tsung to its end, and returns the totals that it logged.
func runTsung(t *testing.T, file, gateway, epmd string) map[string]int {
	t.Helper()
	dir := t.TempDir()
	_, port, _ := net.SplitHostPort(gateway)
	logins, config := filepath.Join(dir, "logins.csv"), filepath.Join(dir, "tsung.xml")
	var list strings.Builder
	for n := 1; n <= users; n++ {
		fmt.Fprintf(&list, "%s;%s\n", user(n), plain(n))
	}
	if err := os.WriteFile(logins, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := template.Must(template.ParseFiles(file)).Execute(out, map[string]any{
		"Users": users, "Messages": messages, "Port": port, "Domain": domain, "Logins": logins,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tsung", "-n", "-I", "127.0.0.1", "-w", "0", "-f", config, "-l", filepath.Join(dir, "log"), "start")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // tsung is a script around Erlang
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(os.Environ(), "HOME="+dir, "ERL_EPMD_PORT="+epmd, "ERL_EPMD_ADDRESS=127.0.0.1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tsung: %v\n%s", err, said)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "log", "*", "tsung.log"))
	if len(logs) != 1 {
		t.Fatalf("tsung left no log:\n%s", said)
	}
	data, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("tsung's log:\n%s\n%s", data, said)
		}
	})
	return totals(string(data))
}

// totals reads the last state of each counter: "stats: name since total", or
// with more columns for those that are averages.
func totals(log string) map[string]int {
	got := make(map[string]int)
	for line := range strings.Lines(log) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] != "stats:" {
			continue
		}
		if n, err := strconv.Atoi(f[3]); err == nil {
			got[f[1]] = n
		}
	}
	return got
}
