//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mochibosh/mochibosh/bench/tables"
)

// Results are all turns of all systems.
type results struct {
	settings settings
	turns    map[system][]result
}

func (rs *results) add(sys system, r result) {
	if rs.turns == nil {
		rs.turns = map[system][]result{}
	}
	rs.turns[sys] = append(rs.turns[sys], r)
}

// median returns the middle one of the values of a system's turns.
func (rs *results) median(sys system, value func(result) float64) float64 {
	var values []float64
	for _, r := range rs.turns[sys] {
		values = append(values, value(r))
	}
	return tables.Median(values)
}

// worst returns the greatest.
func (rs *results) worst(sys system, value func(result) int) (n int) {
	for _, r := range rs.turns[sys] {
		n = max(n, value(r))
	}
	return n
}

// parts of a system, of which the last stands for both.
const (
	gateway = "gateway"
	server  = "server"
	sum     = "sum"
)

func of(used map[string]float64, part string) float64 {
	if part == sum {
		return used[gateway] + used[server]
	}
	return used[part]
}

// cell writes a number for each part: gateway + server, or the server's alone.
func (rs *results) cell(sys system, format string, unit float64, value func(r result) map[string]float64) string {
	part := func(p string) string {
		return fmt.Sprintf(format, rs.median(sys, func(r result) float64 { return of(value(r), p) })*unit)
	}
	if sys.gateway {
		return part(gateway) + " + " + part(server)
	}
	return part(server)
}

func closedCPU(r result) map[string]float64 { return r.trips.Closed.CPU }
func openCPU(r result) map[string]float64   { return r.trips.Open.CPU }
func loginCPU(r result) map[string]float64  { return r.idle.LoginCPU }
func resident(r result) map[string]float64  { return r.idle.Resident }
func idleCPU(r result) map[string]float64   { return r.idle.IdleCPU }

const (
	micro = 1e6
	milli = 1e3
	kilo  = 1.0 / 1024
)

func (rs *results) markdown() string {
	var b strings.Builder
	s := rs.settings
	fmt.Fprintf(&b, "\nMedians of %d turns; %d sessions, with %d of their messages under way, each loop for %v; %d idle sessions, whose requests are held for %v.\n", s.turns, s.sessions, s.inFlight, s.duration, s.idle, s.hold)
	b.WriteString("\n| system | carrier | closed loop: CPU µs per round trip | round trips/s | HTTP requests each | lost / doubled | open loop, 500/s: CPU µs | p50 / p99 ms | load's own share of a processor, closed / open |\n|---|---|---|---|---|---|---|---|---|\n")
	each := func(row func(sys system)) {
		for _, sys := range systems {
			if len(rs.turns[sys]) > 0 {
				row(sys)
			}
		}
	}
	each(func(sys system) {
		m := func(value func(result) float64) float64 { return rs.median(sys, value) }
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.1f | %d / %d | %s | %.1f / %.1f | %.0f %% / %.0f %% |\n", sys.title(), sys.carrier,
			rs.cell(sys, "%.1f", micro, closedCPU),
			m(func(r result) float64 { return r.trips.Closed.PerSec }),
			m(func(r result) float64 { return r.trips.Closed.Requests }),
			rs.worst(sys, lost), rs.worst(sys, doubled),
			rs.cell(sys, "%.0f", micro, openCPU),
			m(func(r result) float64 { return r.trips.Open.P50 })*milli, m(func(r result) float64 { return r.trips.Open.P99 })*milli,
			m(func(r result) float64 { return r.trips.Closed.LoadBusy })*100, m(func(r result) float64 { return r.trips.Open.LoadBusy })*100)
	})
	b.WriteString("\n| system | carrier | CPU µs per login | logins/s | KB per idle session | CPU ms per idle session and minute |\n|---|---|---|---|---|---|\n")
	each(func(sys system) {
		if sys.carrier == "http" {
			return
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %s | %s |\n", sys.title(), sys.carrier,
			rs.cell(sys, "%.0f", micro, loginCPU),
			rs.median(sys, func(r result) float64 { return r.idle.LoginsPerSec }),
			rs.cell(sys, "%.1f", kilo, resident),
			rs.cell(sys, "%.2f", milli, idleCPU))
	})
	rs.ratios(&b)
	b.WriteString("\n")
	return b.String()
}

func (s system) title() string {
	if s.gateway {
		return "mochibosh + " + s.server
	}
	return s.server
}

func lost(r result) int    { return r.trips.Closed.Lost + r.trips.Open.Lost }
func doubled(r result) int { return r.trips.Closed.Doubled + r.trips.Open.Doubled }

// faults tells of messages that a gateway lost or doubled, and of sessions
// that ended: there must be none.
func (rs *results) faults() (err error) {
	for _, sys := range systems {
		gone := rs.worst(sys, func(r result) int { return r.trips.Gone + r.idle.Gone })
		if n, m := rs.worst(sys, lost), rs.worst(sys, doubled); sys.gateway && sys.server == "echo" && n+m+gone > 0 {
			err = errors.Join(err, fmt.Errorf("%v: %d messages lost, %d doubled, %d sessions ended", sys, n, m, gone))
		}
	}
	return err
}
