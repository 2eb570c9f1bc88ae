//go:build linux

// Command soak lets sessions come and go at random, on all carriers and
// backends, for half an hour, and looks at what is left of them: goroutines,
// descriptors and heap are to return to what they were. Some clients say
// goodbye, some vanish, some do not read.
//
//	go run ./bench/soak -for 30m -rate 50
//
// Server and clients are one process; the light XMPP server is another. It fails
// if anything is left. See docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func command(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ExitOnError)
	var s settings
	flags.DurationVar(&s.length, "for", 30*time.Minute, "how long sessions come and go")
	flags.Float64Var(&s.rate, "rate", 20, "new sessions each second")
	flags.DurationVar(&s.life, "life", 10*time.Second, "how long one lasts, at most")
	flags.Uint64Var(&s.seed, "seed", 1, "seed of what happens")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := soak(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprint(out, r.tables())
	return r.check()
}
