//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/mochibosh/mochibosh/bench/vitals"
)

// A process is what is measured, by its id.
type process int

func self() process { return process(os.Getpid()) }

// cpu returns what the process has used of the processors, user and system
// time of all threads, from its CPU clock: clock_getcpuclockid(3).
func (p process) cpu() time.Duration {
	var t syscall.Timespec
	const processClock = 2 // CPUCLOCK_SCHED
	clock := uintptr(^int(p)<<3 | processClock)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(fmt.Errorf("CPU clock of process %d: %w", p, errno))
	}
	return time.Duration(t.Nano())
}

// resident returns the resident memory of the process in bytes, and peak the
// most that it was.
func (p process) resident() int { return p.status("VmRSS:") }
func (p process) peak() int     { return p.status("VmHWM:") }

func (p process) status(name string) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		panic(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"+name))
	kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		panic(err)
	}
	return kb << 10
}

// Rounds are what several publications to all came to.
type rounds struct {
	CPU            float64 // seconds per delivery
	P50, P99, Max  float64 // seconds from the publication to a delivery
	Allocated      float64 // bytes per delivery
	Cycles         float64 // of collection
	GCShare        float64 // of the processor time used
	PauseP99       float64
	PauseMax, Peak float64 // seconds; bytes of resident memory
}

// A meter measures rounds of one process. What happens between them counts in
// memory and collection only.
type meter struct {
	process       process
	before        vitals.Vitals
	from, cpu     time.Duration
	p50, p99, max []float64 // of each round
}

func (m *meter) begin() { m.from = m.process.cpu() }

func (m *meter) end() { m.cpu += m.process.cpu() - m.from }

// latencies takes those of one round.
func (m *meter) latencies(all []time.Duration) {
	slices.Sort(all)
	at := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() }
	m.p50, m.p99, m.max = append(m.p50, at(.5)), append(m.p99, at(.99)), append(m.max, at(1))
}

func (m *meter) result(after vitals.Vitals, clients int) rounds {
	deliveries := float64(clients * len(m.p50))
	span := after.Since(m.before)
	return rounds{
		CPU: m.cpu.Seconds() / deliveries,
		P50: median(m.p50), P99: median(m.p99), Max: slices.Max(m.max),
		Allocated: float64(span.Allocated) / deliveries,
		Cycles:    float64(span.Cycles),
		GCShare:   span.GCShare,
		PauseP99:  span.PauseP99,
		PauseMax:  span.PauseMax,
		Peak:      float64(m.process.peak()),
	}
}

// median returns the middle one, of an even number the upper.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
