//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/bench/vitals"
)

// vitalsSource is compiled into the server that is measured, and into no
// other: profiles and vitals at a socket of their own.
const vitalsSource = `package main

import (
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"

	"github.com/mochibosh/mochibosh/bench/vitals"
)

func init() {
	http.HandleFunc("/vitals", vitals.Serve)
	l, err := net.Listen("unix", os.Getenv("BENCH_VITALS"))
	if err != nil {
		panic(err)
	}
	go http.Serve(l, nil)
}
`

// build compiles the server into the folder.
func build(ctx context.Context, dir string) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	source := filepath.Join(dir, "vitals.go")
	added := filepath.Join(strings.TrimSpace(string(out)), "cmd/mochibosh/vitals.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {added: source}})
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.WriteFile(source, []byte(vitalsSource), 0o600),
		os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600),
	); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir+"/", "github.com/mochibosh/mochibosh/cmd/mochibosh")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// A server is a running `mochibosh serve`.
type server struct {
	process
	cmd   *exec.Cmd
	url   string
	inner *http.Client // to its vitals
	plain *http.Client // HTTP/1, for what is not measured
}

// serve runs the server as operators would, but for what is off: limits by
// client address, since all clients have the same, and the log of sessions.
func serve(ctx context.Context, dir string, polls int, more ...string) (*server, error) {
	socket := filepath.Join(dir, "vitals.sock")
	_ = os.Remove(socket)
	s := &server{plain: &http.Client{}, inner: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
	s.cmd = exec.CommandContext(ctx, filepath.Join(dir, "mochibosh"), append([]string{
		"serve", "--listen=127.0.0.1:0", "--dev", "--push-wait=" + hold.String(), "--push-inactivity=" + hold.String(),
		"--max-sessions=" + strconv.Itoa(polls), "--max-sessions-per-ip=0", "--session-rate=0",
	}, more...)...)
	s.cmd.Env = append(os.Environ(), "BENCH_VITALS="+socket)
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.process = process(s.cmd.Process.Pid)
	lines := bufio.NewReader(log)
	for s.url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("the server does not listen: %w", err)
		}
		if _, rest, ok := strings.Cut(line, "msg=listening address="); ok {
			s.url = "http://" + strings.Fields(rest)[0]
		}
	}
	go io.Copy(io.Discard, lines)
	return s, nil
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.plain.CloseIdleConnections()
	s.inner.CloseIdleConnections()
}

// vitals returns those of the server, with ?gc after collections.
func (s *server) vitals(ctx context.Context, query string) (v vitals.Vitals, err error) {
	body, err := get(ctx, s.inner, "http://server/vitals"+query)
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	return v, err
}

// held waits until so many polls are held.
func (s *server) held(ctx context.Context, polls int) error {
	want := fmt.Sprintf("\nmochibosh_http_requests_open{endpoint=\"longpoll\"} %v\n", float64(polls))
	for {
		body, err := get(ctx, s.plain, s.url+"/metrics")
		if err != nil || strings.Contains(string(body), want) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publish publishes the message to all.
func (s *server) publish(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/api/publish", strings.NewReader(`{"topic":"`+everybody+`","data":`+message+`}`))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	_, err = do(s.plain, r)
	return err
}

func get(ctx context.Context, c *http.Client, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	return do(c, r)
}

// do returns the body of an answer that is not a refusal.
func do(c *http.Client, r *http.Request) ([]byte, error) {
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}
