//go:build linux

package main

import (
	"fmt"
	"strings"
)

func (rs *results) markdown() string {
	var b strings.Builder
	s := rs.settings
	turns := "One turn"
	if s.turns > 1 {
		turns = fmt.Sprintf("Medians of %d turns", s.turns)
	}
	fmt.Fprintf(&b, "\n%s, each delivery measured for %v, after %v; polls held for %v. %s.\n", turns, s.duration, s.warmup, s.hold, strings.Join(rs.versions, ", "))
	rs.idleTable(&b)
	for _, m := range []measure{fanOut, fanOut50, fanOut10k, single} {
		rs.deliveryTable(&b, m)
	}
	rs.requestTable(&b)
	rs.ratioTable(&b)
	rs.goalTable(&b)
	for _, p := range rs.plots() {
		fmt.Fprintf(&b, "\n![%s](benchmarks/%s)\n", p.title, p.file)
	}
	b.WriteString("\n")
	return b.String()
}

// table writes the head of one if there is anything for it.
func (rs *results) table(b *strings.Builder, m measure, title string, columns ...string) {
	for _, sys := range systems {
		if rs.measured(sys, m) {
			fmt.Fprintf(b, "\n%s\n\n| carrier | system | %s |\n|---|---|%s\n", title, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
			return
		}
	}
}

func (rs *results) idleTable(b *strings.Builder) {
	m := rs.settings.idleClients()
	rs.table(b, m, fmt.Sprintf("**%d idle clients**, each with its subscription:", m.subscribers), "KB each", "CPU ms each and minute")
	for _, sys := range systems {
		if rs.measured(sys, m) {
			fmt.Fprintf(b, "| %s | %s | %.1f | %.2f |\n", sys.carrier, sys.name, rs.median(sys, figure{m, kilo, resident}), rs.median(sys, figure{m, milli, cpu}))
		}
	}
}

func (m measure) title() string {
	if m.topics > 1 {
		return fmt.Sprintf("**Single messages**: %d topics with one subscriber each, %d messages a second in all:", m.topics, m.rate)
	}
	return fmt.Sprintf("**Fan-out**: one topic, %d subscribers, %d messages a second:", m.subscribers, m.rate)
}

func (rs *results) deliveryTable(b *strings.Builder, m measure) {
	rs.table(b, m, m.title(), "CPU seconds per million deliveries", "p50 / p99 ms", "lost / doubled / subscriptions ended, worst turn", "load's own share of a processor")
	for _, sys := range systems {
		if !rs.measured(sys, m) {
			continue
		}
		lost, doubled, gone := 0, 0, 0
		for _, r := range rs.turns[row{sys, m}] {
			lost, doubled, gone = max(lost, r.Lost), max(doubled, r.Doubled), max(gone, r.Gone)
		}
		fmt.Fprintf(b, "| %s | %s | %.1f | %.1f / %.1f | %d / %d / %d | %.0f %% |\n", sys.carrier, sys.name, rs.median(sys, figure{m, perMillion, cpu}),
			rs.median(sys, figure{m, milli, p50}), rs.median(sys, figure{m, milli, p99}), lost, doubled, gone, rs.median(sys, figure{m, percent, load}))
	}
}

func (rs *results) requestTable(b *strings.Builder) {
	rs.table(b, requests, "**Requests**: publications to nobody over 64 connections, each as soon as the last is answered:", "CPU µs each", "requests a second", "load's own share of a processor")
	for _, sys := range systems {
		if rs.measured(sys, requests) {
			fmt.Fprintf(b, "| %s | %s | %.1f | %.0f | %.0f %% |\n", sys.carrier, sys.name, rs.median(sys, figure{requests, perMillion, cpu}),
				rs.median(sys, figure{requests, 1, perSec}), rs.median(sys, figure{requests, percent, load}))
		}
	}
}

// ratioTable compares with every other system on the same carrier.
func (rs *results) ratioTable(b *strings.Builder) {
	columns := []struct {
		name   string
		figure figure
	}{
		{"idle: memory", figure{rs.settings.idleClients(), kilo, resident}},
		{"idle: CPU", figure{rs.settings.idleClients(), milli, cpu}},
		{"fan-out to 1,000", figure{fanOut, perMillion, cpu}},
		{"p99", figure{fanOut, milli, p99}},
		{"at 50/s", figure{fanOut50, perMillion, cpu}},
		{"fan-out to 10,000", figure{fanOut10k, perMillion, cpu}},
		{"p99", figure{fanOut10k, milli, p99}},
		{"single messages", figure{single, perMillion, cpu}},
		{"p99", figure{single, milli, p99}},
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	var rows strings.Builder
	for _, sys := range systems {
		if sys.ours() || sys.carrier == publish {
			continue
		}
		cells, any := "", false
		for _, c := range columns {
			ours, theirs := rs.median(system{mochibosh, sys.carrier}, c.figure), rs.median(sys, c.figure)
			if ours > 0 && theirs > 0 {
				cells, any = cells+fmt.Sprintf(" %.2f |", ours/theirs), true
			} else {
				cells += " – |"
			}
		}
		if any {
			fmt.Fprintf(&rows, "| %s | %s |%s\n", sys.carrier, sys.name, cells)
		}
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\nmochibosh divided by the other, on the same carrier; below 1, mochibosh needs less:\n\n| carrier | other | %s |\n|---|---|%s\n%s",
			strings.Join(names, " | "), strings.Repeat("---|", len(names)), &rows)
	}
}

// goalTable says which goals are met.
func (rs *results) goalTable(b *strings.Builder) {
	var rows strings.Builder
	goal := func(name, carrier string, f figure, most float64, unit string) {
		if got := rs.median(system{mochibosh, carrier}, f); rs.measured(system{mochibosh, carrier}, f.measure) && most > 0 {
			fmt.Fprintf(&rows, "| %s | %s | %.1f %s | ≤ %.1f %s | %s |\n", name, carrier, got, unit, most, unit, map[bool]string{true: "yes", false: "no"}[got <= most])
		}
	}
	for _, g := range []struct {
		carrier string
		most    float64
	}{{longPoll, 4}, {bosh, 4}, {sse, 4}, {webSocket, 6}} {
		goal("memory of an idle client", g.carrier, figure{rs.settings.idleClients(), kilo, resident}, g.most, "KB")
	}
	for _, g := range []struct {
		carrier string
		most    float64
	}{{longPoll, 30}, {sse, 15}, {webSocket, 13}} {
		goal("fan-out to 1,000", g.carrier, figure{fanOut, perMillion, cpu}, g.most, "CPU-s per million")
	}
	for _, carrier := range []string{longPoll, sse, webSocket} {
		f := figure{single, perMillion, cpu}
		goal("single messages, no more than nchan", carrier, f, rs.median(system{nchan, carrier}, f), "CPU-s per million")
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n| goal | carrier | measured | wanted | met |\n|---|---|---|---|---|\n%s", &rows)
	}
}
