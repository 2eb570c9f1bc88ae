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
	"strings"
	"sync"
	"syscall"
	"text/template"
	"time"

	"github.com/mochibosh/mochibosh/internal/chaos"
)

// A world is nodes, NATS and the balancer.
type world struct {
	setup
	ctx     context.Context
	network *network
	nodes   []*process
	urls    []string // of the nodes
	nats    []*process
	wires   []*wire // on loopback, from nodes to NATS
	front   *process
	chaos   *chaos.Proxy // before the balancer; nil: none
	url     string
	dir     string
}

// build builds the programs.
func (s *setup) build(ctx context.Context) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return err
	}
	for name, pkg := range map[string]string{
		"mochibosh":   "github.com/mochibosh/mochibosh/cmd/mochibosh",
		"nats-server": "github.com/nats-io/nats-server/v2",
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(s.dir, name), pkg)
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w: %s", err, said)
		}
	}
	return nil
}

// newWorld starts everything.
func newWorld(ctx context.Context, s setup) (*world, error) {
	w := &world{setup: s, ctx: ctx}
	var err error
	if w.dir, err = os.MkdirTemp(s.dir, "run"); err != nil {
		return nil, err
	}
	// The last host has the balancer.
	if w.network, err = newNetwork(s.nodes, s.own); err != nil {
		return nil, err
	}
	if err := w.start(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) start() error {
	addresses, err := w.startNATS()
	if err != nil {
		return err
	}
	ports, routes := w.ports(2), []string{}
	for i, h := range w.network.hosts {
		routes = append(routes, fmt.Sprintf("nats://%s:%d", h.ip, ports(i, 1)))
	}
	level := "warn"
	if w.verbose {
		level = "info"
	}
	secret := filepath.Join(w.dir, "secret")
	if err := os.WriteFile(secret, []byte("of this run"), 0o600); err != nil {
		return err
	}
	for i, h := range w.network.hosts {
		listen := fmt.Sprintf("%s:%d", h.ip, ports(i, 0))
		args := []string{
			w.setup.program("mochibosh"), "serve", "--listen", listen, "--push", "on",
			"--allow", "anybody subscribe publish history presence on *",
			"--trusted-proxies", "10.77.0.254", "--trusted-proxies", "127.0.0.1",
			"--max-sessions-per-ip", "0", "--session-rate", "0", "--log-level", level, "--log-format", "text",
			"--node", fmt.Sprint("n", i+1), "--state-dir", filepath.Join(w.dir, fmt.Sprint("state", i+1)),
			"--shutdown-spread", "500ms",
		}
		switch {
		case w.setup.nats == "external":
			args = append(args, "--nats", addresses[i])
		default:
			args = append(args, "--nats", "embedded", "--nats-cluster-secret", secret, "--nats-cluster-listen", strings.TrimPrefix(routes[i], "nats://"), "--nats-routes", strings.Join(routes, ","))
		}
		p := &process{host: h, args: args, out: newTail(fmt.Sprint("n", i+1), w.verbose)}
		if err := p.start(); err != nil {
			return err
		}
		w.nodes = append(w.nodes, p)
		w.urls = append(w.urls, "http://"+listen)
	}
	for i := range w.nodes {
		if err := w.ready(i); err != nil {
			return err
		}
	}
	return w.startFront()
}

func (s *setup) program(name string) string { return filepath.Join(s.dir, name) }

// ports returns for each host a number of ports that are free, which a balancer and
// others have to know before.
func (w *world) ports(n int) func(host, i int) int {
	if w.own {
		return func(_, i int) int { return 8800 + i }
	}
	taken := make([]int, len(w.network.hosts)*n)
	for i := range taken {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err) // no port at all
		}
		taken[i] = l.Addr().(*net.TCPAddr).Port
		defer l.Close()
	}
	return func(host, i int) int { return taken[host*n+i] }
}

// startNATS starts servers of its own, one a host, and returns how each node comes
// to them.
func (w *world) startNATS() (addresses []string, err error) {
	if w.setup.nats != "external" {
		return nil, nil
	}
	ports, routes, all := w.ports(2), []string{}, []string{}
	for i, h := range w.network.hosts {
		routes = append(routes, fmt.Sprintf("nats://%s:%d", h.ip, 100+ports(i, 1)))
		all = append(all, fmt.Sprintf("nats://%s:%d", h.ip, 100+ports(i, 0)))
	}
	for i, h := range w.network.hosts {
		p := &process{host: h, out: newTail(fmt.Sprint("nats", i+1), w.verbose), args: []string{
			w.setup.program("nats-server"), "-a", h.ip, "-p", fmt.Sprint(100 + ports(i, 0)), "-js", "-sd", filepath.Join(w.dir, fmt.Sprint("js", i+1)),
			"--cluster", routes[i], "--cluster_name", "c", "--routes", strings.Join(routes, ","), "-n", fmt.Sprint("nats", i+1),
		}}
		if err := p.start(); err != nil {
			return nil, err
		}
		w.nats = append(w.nats, p)
	}
	for i := range w.network.hosts {
		// Each knows all, and its own first.
		mine := append([]string{all[i]}, append(append([]string{}, all[:i]...), all[i+1:]...)...)
		if !w.own { // there is no link to take down
			wire, err := newWire(strings.TrimPrefix(all[i], "nats://"))
			if err != nil {
				return nil, err
			}
			w.wires = append(w.wires, wire)
			mine = []string{"nats://" + wire.address()}
		}
		addresses = append(addresses, strings.Join(mine, ","))
	}
	return addresses, nil
}

// ready waits until a node is.
func (w *world) ready(i int) error {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for began := time.Now(); time.Since(began) < time.Minute && w.ctx.Err() == nil; pause(w.ctx, 20*time.Millisecond) {
		if resp, err := client.Get(w.urls[i] + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("node %d does not get ready: %s", i+1, w.nodes[i].out)
}

var frontConfig = template.Must(template.New("").Parse(`
defaults
  mode http
  timeout connect 1s
  timeout client 2m
  timeout server 2m
  timeout tunnel 2m
  timeout queue 5s
  retries 3
  option redispatch 1
  option forwardfor
frontend clients
  bind {{.Listen}}
  maxconn 20000
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /readyz
  default-server check inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions
{{range $i, $n := .Nodes}}  server n{{$i}} {{$n}}
{{end}}`))

// startFront starts the balancer, which knows nothing of sessions.
func (w *world) startFront() error {
	h := &host{ip: "127.0.0.1"}
	port := 8899
	if !w.own {
		port = w.ports(1)(0, 0)
	}
	listen := fmt.Sprintf("%s:%d", h.ip, port)
	file := filepath.Join(w.dir, "haproxy.cfg")
	var text strings.Builder
	var nodes []string
	for _, u := range w.urls {
		nodes = append(nodes, strings.TrimPrefix(u, "http://"))
	}
	if err := frontConfig.Execute(&text, map[string]any{"Listen": listen, "Nodes": nodes}); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	w.front = &process{host: h, args: []string{"haproxy", "-db", "-f", file}, out: newTail("haproxy", w.verbose)}
	if err := w.front.start(); err != nil {
		return err
	}
	w.url = "http://" + listen
	for began := time.Now(); time.Since(began) < 10*time.Second; pause(w.ctx, 20*time.Millisecond) {
		if resp, err := http.Get(w.url + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the balancer does not get ready: %s", w.front.out)
}

// worsen has clients come to the balancer through a bad network: one exchange in ten
// is lost, doubled, late or cut. A copy may well come to another node.
func (w *world) worsen() error {
	var err error
	w.chaos, err = chaos.Listen(strings.TrimPrefix(w.url, "http://"), &chaos.Options{Exchanges: chaos.Bad, Pieces: chaos.BadStream})
	if err == nil {
		w.url = "http://" + w.chaos.Addr()
	}
	return err
}

// soothe lets everything arrive from now on.
func (w *world) soothe() {
	if w.chaos != nil {
		w.chaos.Calm()
	}
}

func (w *world) close() {
	if w.chaos != nil {
		w.chaos.Close()
	}
	for _, p := range append(append(append([]*process{}, w.nodes...), w.nats...), w.front) {
		if p != nil {
			p.end(syscall.SIGKILL)
		}
	}
	for _, wire := range w.wires {
		wire.close()
	}
	w.network.close()
	os.RemoveAll(w.dir)
}

// A tail keeps the last of what a process says.
type tail struct {
	name string
	out  io.Writer
	mu   sync.Mutex
	last []byte
}

const maxTail = 4 << 10

func newTail(name string, verbose bool) *tail {
	t := &tail{name: name, out: io.Discard}
	if verbose {
		t.out = os.Stderr
	}
	return t
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-maxTail):]
	fmt.Fprintf(t.out, "%s: %s", t.name, p)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
