//go:build linux

// Command push measures what an idle client and a delivered message cost, here
// and in other push servers, in turns on one machine, and prints the tables of
// docs/benchmarks.md. scripts/bench-setup installs the others.
//
//	go run ./bench/push -write docs/benchmarks.md -plots docs/benchmarks
//	go run ./bench/push -short
//	go run ./bench/push -only 'mochibosh, sse|nchan, sse' -measure fan-out -profile /tmp/profiles
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
	idle             int           // clients
	hold             time.Duration // of a poll, and between two pings
	warmup, duration time.Duration
	short            bool
	only, measures   *regexp.Regexp
	profile          string // folder
}

// ourPrograms are what this module has of what is run.
var ourPrograms = []string{"bench/floor", "bench/pushload", "cmd/mochibosh"}

// The name of the marks between which a file has the tables.
const marks = "bench-push"

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
	f := flag.NewFlagSet("push", flag.ContinueOnError)
	f.IntVar(&s.turns, "turns", 3, "how often everything is measured; medians count")
	f.IntVar(&s.idle, "idle", 5000, "clients that are told nothing")
	f.DurationVar(&s.hold, "hold", 30*time.Second, "of a poll, between two pings, and of the measurement of idle clients; whole seconds")
	f.DurationVar(&s.warmup, "warmup", 2*time.Second, "before each measurement")
	f.DurationVar(&s.duration, "duration", 5*time.Second, "of each measurement of deliveries")
	only := f.String("only", "", "regular expression of the systems to measure, in any case, such as 'mochibosh|nchan, sse'")
	which := f.String("measure", "", "regular expression of the measurements to make, such as 'idle|fan-out'")
	f.BoolFunc("short", "measure once, and briefly, in less than three minutes; what follows changes that again", func(string) error {
		s.short = true
		s.turns, s.idle, s.hold, s.warmup, s.duration = 1, 1000, 2*time.Second, 500*time.Millisecond, time.Second
		return nil
	})
	write := f.String("write", "", "Markdown file whose tables are replaced")
	plots := f.String("plots", "", "folder for plots of how the cost grows")
	f.StringVar(&s.profile, "profile", "", "folder for profiles of mochibosh: CPU and allocations of deliveries, heap and goroutines with idle clients")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err1, err2 error
	s.only, err1 = regexp.Compile("(?i)" + *only)
	s.measures, err2 = regexp.Compile("(?i)" + *which)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	results := &results{settings: s}
	if results.versions, err = build(ctx, dir, s); err != nil {
		return err
	}
	if err := s.all(ctx, dir, results); err != nil {
		return err
	}
	text := results.markdown()
	os.Stdout.WriteString(text)
	if *write != "" {
		err = tables.Replace(*write, marks, text)
	}
	if *plots != "" {
		err = errors.Join(err, results.draw(*plots))
	}
	return errors.Join(err, results.faults())
}

// build compiles the programs, and returns which versions the others are.
func build(ctx context.Context, dir string, s settings) ([]string, error) {
	err := programs.Build(ctx, dir, s.profile != "", ourPrograms...)
	if err != nil {
		return nil, err
	}
	if err := programs.BuildModule(ctx, dir, centrifugeFolder); err != nil {
		return nil, err
	}
	return versions(ctx)
}

// all measures one thing after the other, each on all systems: what is
// compared is close in time.
func (s settings) all(ctx context.Context, dir string, results *results) error {
	for turn := range s.turns {
		for _, m := range s.wanted() {
			for _, sys := range systems {
				if !s.only.MatchString(sys.String()) || !m.concerns(sys) {
					continue
				}
				fmt.Fprintf(os.Stderr, "turn %d of %d: %v: %v\n", turn+1, s.turns, m, sys)
				r, err := s.measure(ctx, dir, sys, m)
				if err != nil {
					return fmt.Errorf("%v: %v: %w", m, sys, err)
				}
				results.add(sys, m, r)
			}
		}
	}
	return nil
}
