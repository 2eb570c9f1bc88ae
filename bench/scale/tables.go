//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Results are all turns.
type results struct {
	settings settings
	fleets   map[fleetRow][]fleetResult
	crowds   map[crowdRow][]crowdResult
}

// A fleetRow is a fleet with a target of garbage collection.
type fleetRow struct {
	carrier  string
	sessions int
	percent  int
}

// A crowdRow is a way to hold polls.
type crowdRow struct{ streams, percent int }

// defaultPercent is the target of `mochibosh serve`.
const defaultPercent = 100

// fleetRows and gcRows are fleets: as many sessions as possible, and a tenth
// of them, of whose memory collection gets more or less.
func (s settings) fleetRows() []fleetRow {
	return []fleetRow{{"core", s.sessions, defaultPercent}, {"long-poll", s.sessions, defaultPercent}}
}

func (s settings) gcRows() (rows []fleetRow) {
	for _, percent := range []int{100, 200, 400} {
		rows = append(rows, fleetRow{"long-poll", s.sessions / 10, percent})
	}
	return rows
}

// crowdRows have no more streams on a connection than net/http grants, 250.
func (s settings) crowdRows() []crowdRow {
	return []crowdRow{{200, 100}, {200, 200}, {200, 400}, {50, defaultPercent}}
}

// turn measures everything once.
func (rs *results) turn(ctx context.Context, dir string) error {
	if rs.fleets == nil {
		rs.fleets, rs.crowds = map[fleetRow][]fleetResult{}, map[crowdRow][]crowdResult{}
	}
	s := rs.settings
	for _, row := range append(s.fleetRows(), s.gcRows()...) {
		fmt.Fprintf(os.Stderr, "%d sessions, %s, %d %%\n", row.sessions, row.carrier, row.percent)
		of := s
		of.sessions = row.sessions
		of.rounds *= s.sessions / row.sessions
		r, err := of.fleetProcess(ctx, row.carrier, row.percent)
		if err != nil {
			return err
		}
		rs.fleets[row] = append(rs.fleets[row], r)
	}
	for _, row := range s.crowdRows() {
		fmt.Fprintf(os.Stderr, "%d polls, %d to a connection, %d %%\n", s.polls, row.streams, row.percent)
		r, err := measureCrowd(ctx, s, dir, row.streams, "--gc-percent="+strconv.Itoa(row.percent))
		if err != nil {
			return err
		}
		rs.crowds[row] = append(rs.crowds[row], r)
	}
	return nil
}

const (
	micro = 1e6
	milli = 1e3
	kilo  = 1.0 / 1024
	mega  = kilo / 1024
	share = 100
)

// of returns the median of what the turns came to.
func of[T any](turns []T, value func(T) float64) float64 {
	values := make([]float64, len(turns))
	for i, t := range turns {
		values[i] = value(t)
	}
	return median(values)
}

func (rs *results) markdown() string {
	var b strings.Builder
	s := rs.settings
	fmt.Fprintf(&b, "\nMedians of %d turns.\n", s.turns)
	rs.held(&b)
	rs.sessions(&b)
	rs.collection(&b)
	b.WriteString("\n")
	return b.String()
}

func (rs *results) held(b *strings.Builder) {
	s := rs.settings
	fmt.Fprintf(b, "\n### %s polls held over HTTP/2\n\n", grouped(s.polls))
	b.WriteString("| connections × polls | memory per poll: resident / heap, KB | goroutines per poll | CPU per delivery, µs | latency p50 / p99 / max, s | collection: share of CPU, longest pause |\n|---|---|---|---|---|---|\n")
	for _, row := range s.crowdRows() {
		if row.percent != defaultPercent {
			continue
		}
		turns := rs.crowds[row]
		m := func(value func(crowdResult) float64) float64 { return of(turns, value) }
		fmt.Fprintf(b, "| %s × %d | %.1f / %.1f | %.2f | %.0f | %.1f / %.1f / %.1f | %.0f %%, %.1f ms |\n",
			grouped(s.polls/row.streams), row.streams,
			m(func(r crowdResult) float64 { return r.Resident })*kilo, m(func(r crowdResult) float64 { return r.Heap })*kilo,
			m(func(r crowdResult) float64 { return r.Goroutines }),
			m(func(r crowdResult) float64 { return r.CPU })*micro,
			m(func(r crowdResult) float64 { return r.P50 }), m(func(r crowdResult) float64 { return r.P99 }), m(func(r crowdResult) float64 { return r.Max }),
			m(func(r crowdResult) float64 { return r.GCShare })*share, m(func(r crowdResult) float64 { return r.PauseMax })*milli)
	}
	row := s.crowdRows()[0]
	fmt.Fprintf(b, "\nTo make a session, its subscription and its poll took the server %.0f µs of CPU. During the rounds, which the server's CPU includes until all polls are held again, the clients used %.1f processors.\n",
		of(rs.crowds[row], func(r crowdResult) float64 { return r.Setup })*micro, of(rs.crowds[row], func(r crowdResult) float64 { return r.Busy }))
}

func (rs *results) sessions(b *strings.Builder) {
	s := rs.settings
	fmt.Fprintf(b, "\n### %s sessions in one process\n\n", grouped(s.sessions))
	b.WriteString("| | memory per session: heap / resident, KB | goroutines, in all | CPU per session made, µs | CPU per delivery, µs | allocated per delivery, bytes | latency p50 / p99 / max, s | another topic meanwhile, ms | collection: cycles, share of CPU, longest pause |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range s.fleetRows() {
		m := func(value func(fleetResult) float64) float64 { return of(rs.fleets[row], value) }
		fmt.Fprintf(b, "| %s | %.2f / %.2f | %.0f | %.0f | %.2f | %.0f | %.2f / %.2f / %.2f | %.2f | %.0f, %.0f %%, %.1f ms |\n", row.carrier,
			m(func(r fleetResult) float64 { return r.Heap })*kilo, m(func(r fleetResult) float64 { return r.Resident })*kilo,
			m(func(r fleetResult) float64 { return r.Goroutines }),
			m(func(r fleetResult) float64 { return r.Setup })*micro,
			m(func(r fleetResult) float64 { return r.CPU })*micro,
			m(func(r fleetResult) float64 { return r.Allocated }),
			m(func(r fleetResult) float64 { return r.P50 }), m(func(r fleetResult) float64 { return r.P99 }), m(func(r fleetResult) float64 { return r.Max }),
			m(func(r fleetResult) float64 { return r.Bystander })*milli,
			m(func(r fleetResult) float64 { return r.Cycles }), m(func(r fleetResult) float64 { return r.GCShare })*share, m(func(r fleetResult) float64 { return r.PauseMax })*milli)
	}
}

// collection compares targets: what memory buys.
func (rs *results) collection(b *strings.Builder) {
	s := rs.settings
	b.WriteString("\n### The target of garbage collection\n\n")
	b.WriteString("| | target | CPU per delivery, µs | collection: share of CPU, longest pause | latency p99, s | most resident memory, MB |\n|---|---|---|---|---|---|\n")
	line := func(what string, percent int, of func(func(rounds) float64) float64) {
		fmt.Fprintf(b, "| %s | %d %% | %.1f | %.0f %%, %.1f ms | %.2f | %.0f |\n", what, percent,
			of(func(r rounds) float64 { return r.CPU })*micro,
			of(func(r rounds) float64 { return r.GCShare })*share, of(func(r rounds) float64 { return r.PauseMax })*milli,
			of(func(r rounds) float64 { return r.P99 }),
			of(func(r rounds) float64 { return r.Peak })*mega)
	}
	for _, row := range s.gcRows() {
		line(grouped(row.sessions)+" sessions in one process, long-poll", row.percent, func(value func(rounds) float64) float64 {
			return of(rs.fleets[row], func(r fleetResult) float64 { return value(r.rounds) })
		})
	}
	for _, row := range s.crowdRows() {
		if row.streams == 200 {
			line(grouped(s.polls)+" polls over HTTP/2", row.percent, func(value func(rounds) float64) float64 {
				return of(rs.crowds[row], func(r crowdResult) float64 { return value(r.rounds) })
			})
		}
	}
}

// grouped writes a number with commas: 1,000,000.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
