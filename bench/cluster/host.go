package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// A host is a machine, as far as its network goes: a namespace with a link to the
// others, which can be taken down.
type host struct {
	name, ip string
	keeper   *exec.Cmd // keeps the namespace; nil: there is none
}

// A network has all hosts.
type network struct {
	own   bool // with namespaces
	hosts []*host
}

// newNetwork makes n hosts. Without namespaces they are one.
func newNetwork(n int, own bool) (*network, error) {
	net := &network{own: own}
	if own {
		for _, c := range []string{"ip link set lo up", "ip link add br0 type bridge", "ip addr add 10.77.0.254/24 dev br0", "ip link set br0 up"} {
			if err := do(c); err != nil {
				return nil, err
			}
		}
	}
	for i := range n {
		h := &host{name: fmt.Sprint("host", i+1), ip: "127.0.0.1"}
		if own {
			if err := h.open(i + 1); err != nil {
				net.close()
				return nil, err
			}
		}
		net.hosts = append(net.hosts, h)
	}
	return net, nil
}

// do runs a command.
func do(line string) error {
	if said, err := exec.Command("/bin/sh", "-c", line).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, said)
	}
	return nil
}

// open makes the namespace, with a link to the bridge.
func (h *host) open(i int) error {
	h.ip = fmt.Sprint("10.77.0.", i)
	h.keeper = exec.Command("sleep", "infinity")
	h.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := h.keeper.Start(); err != nil {
		return err
	}
	within := "nsenter -t " + strconv.Itoa(h.keeper.Process.Pid) + " -n "
	for _, c := range []string{
		fmt.Sprintf("ip link add %s type veth peer name eth0 netns %d", h.name, h.keeper.Process.Pid),
		fmt.Sprintf("ip link set %s master br0 up", h.name),
		within + "ip link set lo up",
		within + "ip addr add " + h.ip + "/24 dev eth0",
		within + "ip link set eth0 up",
	} {
		if err := do(c); err != nil {
			return err
		}
	}
	return nil
}

// command returns a command that runs on the host, and dies with this program.
func (h *host) command(args ...string) *exec.Cmd {
	if h.keeper != nil {
		args = append([]string{"nsenter", "-t", strconv.Itoa(h.keeper.Process.Pid), "-n", "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// link takes the host's link down, or up again.
func (h *host) link(state string) error { return do("ip link set " + h.name + " " + state) }

func (n *network) close() {
	for _, h := range n.hosts {
		if h.keeper != nil {
			_ = do("ip link del " + h.name) // with its namespace it goes later
			h.keeper.Process.Kill()
			h.keeper.Wait()
		}
	}
	if n.own {
		_ = do("ip link del br0") // it goes with this program
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// process is a program on a host that is started again when it has ended.
type process struct {
	host *host
	args []string
	out  *tail
	cmd  *exec.Cmd
}

func (p *process) start() error {
	p.cmd = p.host.command(p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	return p.cmd.Start()
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// end ends it, and waits for that.
func (p *process) end(sig syscall.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		p.signal(sig)
		p.cmd.Wait()
	}
}
