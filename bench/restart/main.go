// Command restart has clients talk over the event bus of a mochibosh that goes
// away and comes back, and counts what gets lost or doubled, and how long they
// waited.
//
//	go run ./bench/restart
//	go run ./bench/restart -signal kill -durability exchange
//
// It fails if a message does not come back once, and in its place. See
// docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/bench/witness"
)

func main() {
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "restart:", err)
		os.Exit(1)
	}
}

func command(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("restart", flag.ExitOnError)
	var s setup
	flags.IntVar(&s.clients, "clients", 5000, "sessions")
	flags.DurationVar(&s.every, "every", 5*time.Second, "how often each publishes")
	flags.IntVar(&s.restarts, "restarts", 2, "how often the server goes away")
	flags.DurationVar(&s.between, "between", 10*time.Second, "time before, between and after that")
	flags.StringVar(&s.signal, "signal", "term", "how: term or kill")
	flags.StringVar(&s.durability, "durability", "none", "of the server")
	flags.DurationVar(&s.spread, "spread", time.Second, "shutdown-spread of the server")
	carriers := flags.String("carriers", strings.Join(witness.Carriers, ","), "that clients use, in turn")
	flags.BoolVar(&s.verbose, "v", false, "show what the server logs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.carriers = strings.Split(*carriers, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, heading)
	fmt.Fprintln(out, r.row())
	return r.Err()
}
