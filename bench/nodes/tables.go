package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// layouts are what a topic is told in.
var layouts = []struct {
	name, title string
	layout
}{
	{"alone", "one node, nothing stored", layout{Nodes: 1}},
	{"one", "one node, one server of NATS", layout{Nodes: 1, Servers: 1, Disk: true}},
	{"three on one", "three nodes, one server of NATS", layout{Nodes: 3, Servers: 1, Disk: true}},
	{"three on three", "three nodes, three servers of NATS", layout{Nodes: 3, Servers: 3, Disk: true}},
}

// three is the layout whose traffic is counted.
var three = layouts[3].layout

const (
	bills    = "traffic"
	countree = "country"
)

// names are all that is measured, in order.
var names = append(func() (of []string) {
	for _, l := range layouts {
		of = append(of, l.name)
	}
	return of
}(), bills, countree)

// measurements are what is measured, by name.
var measurements = func() map[string]func(context.Context, settings) (any, error) {
	all := map[string]func(context.Context, settings) (any, error){
		bills:    func(ctx context.Context, s settings) (any, error) { return listen(ctx, s, three) },
		countree: func(ctx context.Context, s settings) (any, error) { return live(ctx, s, layout{Nodes: 10, Servers: 1}) },
	}
	for _, l := range layouts {
		all[l.name] = func(ctx context.Context, s settings) (any, error) { return fanOut(ctx, s, l.layout) }
	}
	return all
}()

// Results are what came of everything.
type results struct {
	settings settings
	told     [4]told // by layout
	bill     bill
	country  country
}

// place returns where a result goes to.
func (r *results) place(name string) any {
	for i, l := range layouts {
		if l.name == name {
			return &r.told[i]
		}
	}
	if name == bills {
		return &r.bill
	}
	return &r.country
}

const (
	micro = 1e6
	milli = 1e3
	kilo  = 1.0 / 1024
)

func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### A topic with %s clients\n\n", grouped(r.settings.Clients))
	b.WriteString("| | deliveries a second | CPU per delivery, µs | latency p50 / p99, ms | messages / bytes per delivery: nodes and NATS | among servers of NATS |\n|---|---|---|---|---|---|\n")
	for i, l := range layouts {
		t := &r.told[i]
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f / %.0f | %s | %s |\n", l.title, grouped(int(t.Rate)), t.CPU*micro, t.P50*milli, t.P99*milli, t.Wires.Nodes, t.Wires.Servers)
	}
	b.WriteString("\n### What NATS carries, three nodes and three servers\n\n| | messages / bytes: nodes and NATS | among servers of NATS |\n|---|---|---|\n")
	for _, line := range []struct {
		what string
		wires
	}{
		{"nothing but nodes, a second", r.bill.Beats},
		{"a session is made, and subscribes", r.bill.Session},
		{"a poll ends without a message", r.bill.Poll},
		{"a message for a client at each of the nodes, with their answers", r.bill.Message},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", line.what, line.Nodes, line.Servers)
	}
	c := &r.country
	fmt.Fprintf(&b, "\n### %s sessions at %d nodes, in rooms of %d\n\n| | |\n|---|---|\n", grouped(c.Sessions), c.Nodes, c.Room)
	for _, line := range [][2]string{
		{"sessions made a second", fmt.Sprintf("%s, %.0f µs of CPU each", grouped(int(c.Made)), c.MadeCPU*micro)},
		{"heap of one: nodes, NATS and client", fmt.Sprintf("%.1f KB", c.Heap*kilo)},
		{"polls that wait at another node than their session", fmt.Sprintf("%.0f %%", 100*c.Elsewhere)},
		{fmt.Sprintf("a message in each of %s rooms", grouped(c.Told.Clients/c.Room)), c.Told.String()},
		{"a node dies", fmt.Sprintf("%s sessions are at others after %.1f s; %.0f µs of CPU each; %s requests repeated", grouped(c.Death.Sessions), c.Death.Took, c.Death.CPU*micro, grouped(int(c.Death.Repeated)))},
		{"a message in each of these rooms after that", c.After.String()},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	b.WriteString("\n")
	return b.String()
}

// String says what reached clients.
func (t told) String() string {
	return fmt.Sprintf("%s deliveries, %s a second, %.0f µs of CPU each, p50 %.1f s, p99 %.1f s", grouped(t.Clients), grouped(int(t.Rate)), t.CPU*micro, t.P50, t.P99)
}

// String says how much it is.
func (t traffic) String() string {
	if t.Messages < 0.005 && t.Bytes < 0.5 {
		return "none"
	}
	return fmt.Sprintf("%.1f / %s", t.Messages, grouped(int(t.Bytes)))
}

// grouped writes a number with commas: 1,000,000.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
