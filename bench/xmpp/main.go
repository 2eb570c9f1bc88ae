//go:build linux

// Command xmpp measures the gateway against the BOSH and WebSocket modules of
// Prosody and ejabberd, in turns on one machine, and prints the tables of
// docs/benchmarks.md.
//
//	go run ./bench/xmpp -write docs/benchmarks.md
//	go run ./bench/xmpp -short
//	go run ./bench/xmpp -only 'mochibosh, echo' -profile /tmp/profiles
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
	"github.com/mochibosh/mochibosh/bench/tables"
)

// Settings say how much is measured.
type settings struct {
	turns            int
	sessions, idle   int
	inFlight         int
	warmup, duration time.Duration
	hold             time.Duration // of a request of an idle session
	only             *regexp.Regexp
	profile          string // folder
}

// Packages that are built, and the name of the marks between which a file has
// the tables.
var packages = []string{"bench/echoserver", "bench/httpecho", "bench/load", "cmd/mochibosh"}

const marks = "bench-xmpp"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var s settings
	f := flag.NewFlagSet("xmpp", flag.ContinueOnError)
	f.IntVar(&s.turns, "turns", 3, "how often everything is measured; medians count")
	f.IntVar(&s.sessions, "sessions", 200, "sessions that send messages")
	f.IntVar(&s.idle, "idle", 2000, "sessions that do nothing")
	f.IntVar(&s.inFlight, "in-flight", 1, "messages of a session under way in the closed loop")
	f.DurationVar(&s.warmup, "warmup", 2*time.Second, "before each measurement")
	f.DurationVar(&s.duration, "duration", 5*time.Second, "of each loop")
	f.DurationVar(&s.hold, "hold", 10*time.Second, "of a request of an idle session, and of the measurement of such; whole seconds")
	only := f.String("only", "", "regular expression of the rows to measure, such as 'echo|ejabberd, bosh'")
	f.BoolFunc("short", "measure once, and briefly, in less than five minutes; what follows changes that again", func(string) error {
		s.turns, s.idle, s.warmup, s.duration, s.hold = 1, 500, time.Second, 2*time.Second, 5*time.Second
		return nil
	})
	write := f.String("write", "", "Markdown file whose tables are replaced")
	f.StringVar(&s.profile, "profile", "", "folder for profiles of the gateway: CPU and allocations under load, heap and goroutines with idle sessions")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := programs.Build(ctx, dir, s.profile != "", packages...); err != nil {
		return err
	}

	results := &results{settings: s}
	for turn := range s.turns {
		for _, sys := range systems {
			if !s.only.MatchString(sys.String()) {
				continue
			}
			fmt.Fprintf(os.Stderr, "turn %d of %d: %v\n", turn+1, s.turns, sys)
			r, err := s.measure(ctx, dir, sys)
			if err != nil {
				return fmt.Errorf("%v: %w", sys, err)
			}
			results.add(sys, r)
		}
	}
	text := results.markdown()
	os.Stdout.WriteString(text)
	if *write != "" {
		err = tables.Replace(*write, marks, text)
	}
	return errors.Join(err, results.faults())
}
