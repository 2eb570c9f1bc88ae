package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// An event happens to the nodes while clients talk.
type event struct {
	name     string
	bad      bool // the network of the clients is, all the time
	external bool // to servers of NATS of their own
	happen   func(ctx context.Context, w *world) error
}

var events = []event{
	{name: "nothing", happen: func(context.Context, *world) error { return nil }},
	{name: "a node is killed, and comes back", happen: kill},
	{name: "a node is stopped, and goes on", happen: func(ctx context.Context, w *world) error {
		if err := w.each(0, syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, w.away)
		return w.each(0, syscall.SIGCONT)
	}},
	{name: "partition: a node is cut off, and joined again", happen: func(ctx context.Context, w *world) error {
		if err := w.cut(0); err != nil {
			return err
		}
		pause(ctx, w.away)
		return w.heal(0)
	}},
	{name: "a node is cut off for a second or two, again and again", happen: func(ctx context.Context, w *world) error {
		for i := range 6 {
			if err := w.cut(0); err != nil {
				return err
			}
			pause(ctx, w.away/8*time.Duration(1+i%2))
			if err := w.heal(0); err != nil {
				return err
			}
			pause(ctx, w.away/8)
		}
		return nil
	}},
	{name: "rolling restart of all", happen: restart},
	{name: "a bad network", bad: true, happen: func(ctx context.Context, w *world) error {
		pause(ctx, w.away)
		return nil
	}},
	{name: "a bad network, and a node is killed, and comes back", bad: true, happen: kill},
	{name: "a bad network, and rolling restart of all", bad: true, happen: restart},
	{name: "a server of NATS is killed, and comes back", external: true, happen: func(ctx context.Context, w *world) error {
		w.nats[0].end(syscall.SIGKILL)
		pause(ctx, w.away)
		return w.nats[0].start()
	}},
	{name: "all of NATS is stopped, and goes on", external: true, happen: func(ctx context.Context, w *world) error {
		for _, p := range w.nats {
			if err := p.signal(syscall.SIGSTOP); err != nil {
				return err
			}
		}
		pause(ctx, w.away/2)
		for _, p := range w.nats {
			if err := p.signal(syscall.SIGCONT); err != nil {
				return err
			}
		}
		return nil
	}},
}

func kill(ctx context.Context, w *world) error {
	w.nodes[0].end(syscall.SIGKILL)
	pause(ctx, w.away)
	return w.begin(0)
}

func restart(ctx context.Context, w *world) error {
	for i := range w.nodes {
		w.nodes[i].end(syscall.SIGTERM)
		if err := w.begin(i); err != nil {
			return err
		}
		pause(ctx, w.between/4)
	}
	return nil
}

// begin starts a node that has ended.
func (w *world) begin(i int) error {
	if err := w.nodes[i].start(); err != nil {
		return err
	}
	return w.ready(i)
}

// each signals a node.
func (w *world) each(i int, sig syscall.Signal) error { return w.nodes[i].signal(sig) }

// cut takes a node's link to all others away: on loopback, that to NATS.
func (w *world) cut(i int) error {
	switch {
	case w.own:
		return w.network.hosts[i].link("down")
	case len(w.wires) > 0:
		w.wires[i].set(true)
		return nil
	}
	return w.each(i, syscall.SIGSTOP) // its NATS is within it
}

func (w *world) heal(i int) error {
	switch {
	case w.own:
		return w.network.hosts[i].link("up")
	case len(w.wires) > 0:
		w.wires[i].set(false)
		return nil
	}
	return w.each(i, syscall.SIGCONT)
}

// A setup is what is run.
type setup struct {
	own      bool // with network namespaces
	dir      string
	nats     string // "embedded" or "external"
	nodes    int
	clients  int
	every    time.Duration
	between  time.Duration
	away     time.Duration
	carriers []string
	verbose  bool
}

func (s *setup) String() string { return fmt.Sprint(s.nodes, " nodes, ", s.nats, " NATS") }
