//go:build linux

// Command scale measures what one process can hold where the limit of open
// files does not count: polls that share HTTP/2 connections, and sessions
// whose clients are in the same process. It prints the tables of
// docs/scaling.md.
//
//	go run ./bench/scale -write docs/scaling.md
//	go run ./bench/scale -short
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

// Settings say how much is measured.
type settings struct {
	turns    int
	rounds   int // publications to all, of each turn
	sessions int // of a fleet
	polls    int // held over HTTP/2
	profile  string
}

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
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.IntVar(&s.turns, "turns", 3, "how often everything is measured; medians count")
	f.IntVar(&s.rounds, "rounds", 4, "messages to all in each turn")
	f.IntVar(&s.sessions, "sessions", 1_000_000, "sessions in one process; each needs 2 to 5 KB")
	f.IntVar(&s.polls, "polls", 100_000, "polls held over HTTP/2; each needs 55 KB, half of it for its client")
	f.BoolFunc("short", "measure once, and a tenth; what follows changes that again", func(string) error {
		s.turns, s.rounds, s.sessions, s.polls = 1, 3, 100_000, 10_000
		return nil
	})
	write := f.String("write", "", "Markdown file whose tables are replaced")
	f.StringVar(&s.profile, "profile", "", "folder for profiles: CPU and heap while the rounds last")
	fleet := f.String("fleet", "", "measure one fleet of this carrier in this process, and print the result in JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *fleet != "" {
		if carriers[*fleet] == nil {
			return fmt.Errorf("no carrier is called %q", *fleet)
		}
		r, err := measureFleet(ctx, s, *fleet)
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(r))
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir); err != nil {
		return err
	}
	results := &results{settings: s}
	for turn := range s.turns {
		fmt.Fprintf(os.Stderr, "turn %d of %d\n", turn+1, s.turns)
		if err := results.turn(ctx, dir); err != nil {
			return err
		}
	}
	tables := results.markdown()
	os.Stdout.WriteString(tables)
	if *write != "" {
		err = replace(*write, tables)
	}
	return err
}

// fleetProcess measures a fleet in a process of its own, so that none works in
// what another left.
func (s settings) fleetProcess(ctx context.Context, named string, percent int) (r fleetResult, err error) {
	exe, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, exe, "-fleet", named, "-sessions", strconv.Itoa(s.sessions), "-rounds", strconv.Itoa(s.rounds), "-profile", s.profile)
	cmd.Env = append(os.Environ(), "GOGC="+strconv.Itoa(percent))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("fleet %s: %w", named, err)
	}
	return r, json.Unmarshal(out, &r)
}

// Marks between which a file has the tables.
const (
	beginMark = "<!-- begin of bench-scale -->\n"
	endMark   = "<!-- end of bench-scale -->\n"
)

func replace(file, tables string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok1 := bytes.Cut(data, []byte(beginMark))
	_, after, ok2 := bytes.Cut(rest, []byte(endMark))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the tables", file)
	}
	return os.WriteFile(file, fmt.Appendf(nil, "%s%s%s%s%s", before, beginMark, tables, endMark, after), 0o644)
}
