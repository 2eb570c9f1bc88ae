//go:build linux

// Package usage tells what processes use of a Linux machine: processor time
// and memory.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// A Server is what is measured: a process, and those that it has started.
type Server struct {
	Name string
	pids []int
}

// Parse takes name=pid.
func Parse(s string) (Server, error) {
	name, pid, _ := strings.Cut(s, "=")
	n, err := strconv.Atoi(pid)
	if err != nil {
		return Server{}, fmt.Errorf("%q is not name=pid: %w", s, err)
	}
	pids, err := family(n)
	return Server{name, pids}, err
}

// family returns the process and its descendants.
func family(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // ended since
		}
		// pid (name) state ppid …, and the name may have anything in it.
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, err2 := strconv.Atoi(fields[1])
		if err1 == nil && err2 == nil {
			children[parent] = append(children[parent], child)
		}
	}
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}

// CPU returns what the processes have used of the processors.
func (s Server) CPU() (sum time.Duration, err error) {
	for _, pid := range s.pids {
		d, err := clock(pid)
		if err != nil {
			return 0, fmt.Errorf("%s, process %d: %w", s.Name, pid, err)
		}
		sum += d
	}
	return sum, nil
}

// clock returns the user and system time of all threads of a process. It is
// the sum of /proc/PID/stat, in nanoseconds rather than in ticks of ten
// milliseconds: clock_getcpuclockid(3).
func clock(pid int) (time.Duration, error) {
	var t syscall.Timespec
	const processClock = 2 // CPUCLOCK_SCHED
	clock := uintptr(^pid<<3 | processClock)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(t.Nano()), nil
}

// Resident returns the resident memory of the processes in bytes.
func (s Server) Resident() (sum int, err error) {
	for _, pid := range s.pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := bytes.Cut(data, []byte("\nRss:"))
		kb, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
		n, err := strconv.Atoi(string(kb))
		if err != nil {
			return 0, fmt.Errorf("%s, process %d: Rss: %w", s.Name, pid, err)
		}
		sum += n << 10
	}
	return sum, nil
}

// A Meter tells what servers use from a moment on.
type Meter struct {
	servers []Server
	from    []time.Duration
	own     time.Duration
	Began   time.Time
}

// Start returns a meter that begins now.
func Start(servers []Server) (*Meter, error) {
	own, err := clock(os.Getpid())
	m := &Meter{servers: servers, own: own, Began: time.Now()}
	for _, s := range servers {
		d, err := s.CPU()
		if err != nil {
			return nil, err
		}
		m.from = append(m.from, d)
	}
	return m, err
}

// CPU returns the seconds that each server used.
func (m *Meter) CPU() (map[string]float64, error) {
	used := map[string]float64{}
	for i, s := range m.servers {
		d, err := s.CPU()
		if err != nil {
			return nil, err
		}
		used[s.Name] = (d - m.from[i]).Seconds()
	}
	return used, nil
}

// Own returns how much of one processor this process itself needed.
func (m *Meter) Own() (float64, error) {
	d, err := clock(os.Getpid())
	return (d - m.own).Seconds() / time.Since(m.Began).Seconds(), err
}
