//go:build linux

package main

import (
	"errors"
	"fmt"

	"github.com/mochibosh/mochibosh/bench/tables"
)

// Results are all turns of all measurements of all systems.
type results struct {
	settings settings
	versions []string
	turns    map[row][]result
}

type row struct {
	system  system
	measure measure
}

func (rs *results) add(sys system, m measure, r result) {
	if rs.turns == nil {
		rs.turns = map[row][]result{}
	}
	at := row{sys, m}
	rs.turns[at] = append(rs.turns[at], r)
}

// A figure is one of those that are compared.
type figure struct {
	measure measure
	unit    float64
	of      func(result) float64
}

// median returns the figure in its unit; zero where it was not measured.
func (rs *results) median(sys system, f figure) float64 {
	var values []float64
	for _, r := range rs.turns[row{sys, f.measure}] {
		values = append(values, f.of(r)*f.unit)
	}
	return tables.Median(values)
}

func (rs *results) measured(sys system, m measure) bool { return len(rs.turns[row{sys, m}]) > 0 }

func resident(r result) float64 { return r.Resident }
func cpu(r result) float64      { return r.CPU }
func p50(r result) float64      { return r.P50 }
func p99(r result) float64      { return r.P99 }
func perSec(r result) float64   { return r.PerSec }
func load(r result) float64     { return r.Load }

const (
	perMillion = 1e6
	milli      = 1e3
	kilo       = 1.0 / 1024
	percent    = 100
)

// faults tells of messages that mochibosh lost or doubled, and of
// subscriptions that ended: there must be none.
func (rs *results) faults() (err error) {
	for at, turns := range rs.turns {
		for _, r := range turns {
			if at.system.ours() && r.Lost+r.Doubled+r.Gone != 0 {
				err = errors.Join(err, fmt.Errorf("%v: %v: %d messages lost, %d doubled, %d subscriptions ended", at.system, at.measure, r.Lost, r.Doubled, r.Gone))
			}
		}
	}
	return err
}
