//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// A process is what is measured.
type process struct {
	Name string
	PID  int
}

// cpu returns what the process has used of the processors, user and system
// time of all threads. It is the sum of /proc/PID/stat, in nanoseconds rather
// than in ticks of ten milliseconds: clock_getcpuclockid(3).
func (p process) cpu() time.Duration {
	var t syscall.Timespec
	const processClock = 2 // CPUCLOCK_SCHED
	clock := uintptr(^p.PID<<3 | processClock)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		fatal(fmt.Errorf("%s, process %d: %w", p.Name, p.PID, errno))
	}
	return time.Duration(t.Nano())
}

// resident returns the resident memory of the process in bytes.
func (p process) resident() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID))
	if err != nil {
		fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\nRss:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		fatal(fmt.Errorf("process %d: no Rss", p.PID))
	}
	kb, err := strconv.Atoi(string(fields[0]))
	if err != nil {
		fatal(err)
	}
	return kb << 10
}

// A usage is what the processes used between two moments.
type usage struct {
	processes []process
	from      []time.Duration
	own       time.Duration
	began     time.Time
}

func measure(processes []process) usage {
	u := usage{processes: processes, began: time.Now(), own: process{"load", os.Getpid()}.cpu()}
	for _, p := range processes {
		u.from = append(u.from, p.cpu())
	}
	return u
}

// cpu returns the seconds that each process used since.
func (u usage) cpu() map[string]float64 {
	used := map[string]float64{}
	for i, p := range u.processes {
		used[p.Name] = (p.cpu() - u.from[i]).Seconds()
	}
	return used
}

// busy returns how much of one processor the load itself needed since.
func (u usage) busy() float64 {
	return (process{"load", os.Getpid()}.cpu() - u.own).Seconds() / time.Since(u.began).Seconds()
}
