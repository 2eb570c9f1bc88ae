// Command cluster has clients talk over the event bus of several mochibosh nodes
// behind a balancer that sends each request to the next one, while something
// happens to the nodes, and counts what gets lost or doubled, and how long they
// waited.
//
//	go run ./bench/cluster
//	go run ./bench/cluster -only 'partition' -nats external
//
// In a bad network, clients reach the balancer through a proxy that loses, doubles,
// delays and cuts (internal/chaos). Each node has a network namespace of its own. Where those cannot be made, for
// want of rights, all is on loopback, and it says so; then a partition is only one
// from NATS. It fails if a message does not come back once, and in its place.
//
// Needs Linux, haproxy, and for namespaces iproute2 and util-linux. See
// docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/bench/witness"
)

func main() {
	if os.Geteuid() == 0 && os.Getenv(inside) == "" {
		os.Exit(again())
	}
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// inside is set for the process that has a network of its own.
const inside = "CLUSTER_NETWORK"

// again runs this program once more, in a network namespace of its own, so that
// nothing of the machine's network is touched. Where that cannot be, it is run
// where it is.
func again() int {
	for _, own := range []bool{true, false} {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = append(os.Environ(), fmt.Sprint(inside, "=", own))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		if own {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
		}
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "cluster:", err)
			continue
		}
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		go func() { cmd.Process.Signal(<-signals) }()
		cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
	return 1
}

func command(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ExitOnError)
	s := setup{own: os.Getenv(inside) == "true"}
	flags.IntVar(&s.nodes, "nodes", 3, "nodes, and servers of NATS")
	flags.IntVar(&s.clients, "clients", 300, "sessions")
	flags.DurationVar(&s.every, "every", time.Second, "how often each publishes")
	flags.DurationVar(&s.between, "between", 8*time.Second, "time before, between and after that something happens")
	flags.DurationVar(&s.away, "away", 12*time.Second, "how long a node is stopped or cut off")
	flags.BoolVar(&s.verbose, "v", false, "show what the nodes log")
	engines := flags.String("nats", "embedded,external", "what runs NATS: the nodes, or servers of their own")
	only := flags.String("only", "", "run only what this expression matches")
	carriers := flags.String("carriers", strings.Join(witness.Carriers, ","), "that clients use, in turn")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.carriers = strings.Split(*carriers, ",")
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if !s.own {
		fmt.Fprintln(out, "No network namespaces can be made: everything is on loopback, and a partition is one from NATS only.")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.build(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	fmt.Fprintln(out, heading)
	var failed []string
	for _, s.nats = range strings.Split(*engines, ",") {
		for _, e := range events {
			if !wanted.MatchString(e.name) || ctx.Err() != nil || e.external && s.nats != "external" {
				continue
			}
			r, err := run(ctx, s, e)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			fmt.Fprintln(out, r.row())
			if err := r.Err(); err != nil {
				failed = append(failed, fmt.Sprintf("%s: %v", e.name, err))
			}
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not faultless:\n%s", strings.Join(failed, "\n"))
	}
	return nil
}
