// Command nodes measures what several nodes on NATS cost and carry, with everything in
// this process: nodes, servers of NATS, and clients that call the nodes' handlers, each
// request at a node at random. It prints tables of docs/scaling.md.
//
//	go run ./bench/nodes -write docs/scaling.md
//	go run ./bench/nodes -short
//	go run ./bench/nodes -measure country -sessions 1000000
//
// Each message has to reach each client once, and in its place, or the run fails.
package main

import (
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
	"time"

	"github.com/mochibosh/mochibosh/bench/tables"
)

// Settings say how much is measured.
type settings struct {
	Clients  int // of a topic
	Rounds   int
	Sessions int           // of the country
	Pause    time.Duration // to listen to what goes on by itself
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
	f := flag.NewFlagSet("nodes", flag.ContinueOnError)
	f.IntVar(&s.Clients, "clients", 10_000, "clients of one topic")
	f.IntVar(&s.Rounds, "rounds", 5, "messages to all of them; medians count")
	f.IntVar(&s.Sessions, "sessions", 100_000, "sessions of ten nodes; each needs some 20 KB")
	f.DurationVar(&s.Pause, "pause", 5*time.Second, "how long to listen to what goes on by itself")
	f.BoolFunc("short", "measure a twentieth; what follows changes that again", func(string) error {
		s = settings{1000, 3, 20_000, s.Pause}
		return nil
	})
	write := f.String("write", "", "Markdown file whose tables are replaced")
	only := f.String("measure", "", "measure this in this process, and print it in JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *only != "" {
		m, ok := measurements[*only]
		if !ok {
			return fmt.Errorf("nothing is called %q", *only)
		}
		r, err := m(ctx, s)
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(r))
	}
	r := results{settings: s}
	for _, name := range names {
		fmt.Fprintln(os.Stderr, name)
		if err := s.process(ctx, name, r.place(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	text := r.markdown()
	os.Stdout.WriteString(text)
	if *write != "" {
		return tables.Replace(*write, "bench-nodes", text)
	}
	return nil
}

// process measures in a process of its own, so that none works in what another left.
func (s settings) process(ctx context.Context, name string, into any) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, "-measure", name,
		"-clients", strconv.Itoa(s.Clients), "-rounds", strconv.Itoa(s.Rounds), "-sessions", strconv.Itoa(s.Sessions), "-pause", s.Pause.String())
	cmd.Env = append(os.Environ(), "GOGC=50") // sessions are many
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}
