//go:build linux

package main

import (
	"fmt"
	"strings"
)

// ratios writes what the gateway is compared with, each side by side.
func (rs *results) ratios(b *strings.Builder) {
	var rows []string
	row := func(name string, ours, theirs float64, unit, goal string) {
		if ours > 0 && theirs > 0 {
			rows = append(rows, fmt.Sprintf("| %s | %.1f %s | %.1f %s | %.2f | %s |", name, ours, unit, theirs, unit, ours/theirs, goal))
		}
	}
	cpu := func(sys system, part string, unit float64, value func(result) map[string]float64) float64 {
		return rs.median(sys, func(r result) float64 { return of(value(r), part) }) * unit
	}
	gw := func(behind, carrier string) system { return system{gateway: true, server: behind, carrier: carrier} }
	alone := func(name, carrier string) system { return system{server: name, carrier: carrier} }

	row("BOSH round trip: gateway / bare net/http echo", cpu(gw("echo", "bosh"), gateway, micro, closedCPU), cpu(alone("net/http", "http"), server, micro, closedCPU), "µs", "≤ 1.5")
	row("WebSocket round trip: gateway / echo server over TCP", cpu(gw("echo", "ws"), gateway, micro, closedCPU), cpu(alone("echo", "tcp"), server, micro, closedCPU), "µs", "≤ 2.5")
	for _, name := range []string{"ejabberd", "prosody"} {
		for _, carrier := range []string{"bosh", "ws"} {
			title := map[string]string{"bosh": "BOSH", "ws": "WebSocket"}[carrier]
			module := func(unit float64, value func(result) map[string]float64) float64 {
				return cpu(alone(name, carrier), server, unit, value) - cpu(alone(name, "tcp"), server, unit, value)
			}
			if len(rs.turns[alone(name, carrier)]) == 0 {
				continue
			}
			row(title+" round trip: gateway / what "+name+" adds to its TCP", cpu(gw("echo", carrier), gateway, micro, closedCPU), module(micro, closedCPU), "µs", goalIf(carrier == "bosh", "< 0.5"))
			row(title+" round trip: gateway and "+name+" behind / "+name+"'s own", cpu(gw(name, carrier), sum, micro, closedCPU), cpu(alone(name, carrier), server, micro, closedCPU), "µs", goalIf(carrier == "bosh", "< 1"))
			row(title+" login: gateway / what "+name+" adds to its TCP", cpu(gw("echo", carrier), gateway, micro, loginCPU), module(micro, loginCPU), "µs", goalIf(carrier == "bosh", "≤ 600 µs"))
			row(title+" idle session: gateway / "+name+"'s own", cpu(gw("echo", carrier), gateway, kilo, resident), cpu(alone(name, carrier), server, kilo, resident), "KB", "≤ 10 KB")
			p99 := func(sys system) float64 {
				return rs.median(sys, func(r result) float64 { return r.trips.Open.P99 }) * milli
			}
			row(title+" p99 at 500/s: gateway and echo server / "+name+"'s own", p99(gw("echo", carrier)), p99(alone(name, carrier)), "ms", goalIf(name == "ejabberd", "≤ 1"))
		}
	}
	if len(rows) > 0 {
		b.WriteString("\n| | here | there | ratio | goal |\n|---|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n")
	}
}

func goalIf(there bool, goal string) string {
	if there {
		return goal
	}
	return ""
}
