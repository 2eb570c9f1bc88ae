// Package vitals reads what the Go runtime knows of itself and a benchmark
// wants to: memory, goroutines, and what garbage collection costs.
package vitals

import (
	"encoding/json"
	"math"
	"net/http"
	"runtime"
	"runtime/metrics"
)

// Vitals are the figures of one moment. Those that count do so since the
// process began.
type Vitals struct {
	Goroutines uint64
	Heap       uint64  // bytes that the last collection found in use
	Allocated  uint64  // bytes, counted
	Cycles     uint64  // of garbage collection, counted
	GC, Used   float64 // processor seconds: of collection, and of all that was not idle; counted
	Pauses     Pauses
}

// Pauses are how often collection stopped the program for how long, counted.
type Pauses struct {
	Counts []uint64
	UpTo   []float64 // seconds; the upper bounds of the counts
}

// Names of the runtime's metrics.
const (
	goroutines = "/sched/goroutines:goroutines"
	heapLive   = "/gc/heap/live:bytes"
	allocated  = "/gc/heap/allocs:bytes"
	cycles     = "/gc/cycles/total:gc-cycles"
	gcCPU      = "/cpu/classes/gc/total:cpu-seconds"
	idleCPU    = "/cpu/classes/idle:cpu-seconds"
	totalCPU   = "/cpu/classes/total:cpu-seconds"
	pauses     = "/sched/pauses/total/gc:seconds"
)

// Read returns the vitals of this process.
func Read() Vitals {
	samples := make([]metrics.Sample, 0, 8)
	for _, name := range []string{goroutines, heapLive, allocated, cycles, gcCPU, idleCPU, totalCPU, pauses} {
		samples = append(samples, metrics.Sample{Name: name})
	}
	metrics.Read(samples)
	return Vitals{
		Goroutines: samples[0].Value.Uint64(),
		Heap:       samples[1].Value.Uint64(),
		Allocated:  samples[2].Value.Uint64(),
		Cycles:     samples[3].Value.Uint64(),
		GC:         samples[4].Value.Float64(),
		Used:       samples[6].Value.Float64() - samples[5].Value.Float64(),
		Pauses:     pausesOf(samples[7].Value.Float64Histogram()),
	}
}

// pausesOf copies a histogram; where a bucket has no end, its beginning stands
// for it, for JSON knows no infinity.
func pausesOf(h *metrics.Float64Histogram) Pauses {
	p := Pauses{Counts: append([]uint64(nil), h.Counts...)}
	for i := range h.Counts {
		end := h.Buckets[i+1]
		if math.IsInf(end, 1) {
			end = h.Buckets[i]
		}
		p.UpTo = append(p.UpTo, end)
	}
	return p
}

// Serve answers with the vitals in JSON; with ?gc, after two collections, so
// that Heap is what is really in use.
func Serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("gc") {
		Collect()
	}
	_ = json.NewEncoder(w).Encode(Read())
}

// Collect collects twice: what a finalizer or a pool held goes the second
// time.
func Collect() {
	runtime.GC()
	runtime.GC()
}

// A Span is what happened between two moments.
type Span struct {
	Allocated          uint64
	Cycles             uint64
	GCShare            float64 // of the processor time that was used
	Pauses             uint64
	PauseP99, PauseMax float64 // seconds
}

// Since returns what happened since before.
func (v Vitals) Since(before Vitals) Span {
	s := Span{Allocated: v.Allocated - before.Allocated, Cycles: v.Cycles - before.Cycles}
	if used := v.Used - before.Used; used > 0 {
		s.GCShare = (v.GC - before.GC) / used
	}
	counts := make([]uint64, len(v.Pauses.Counts))
	for i, n := range v.Pauses.Counts {
		counts[i] = n - before.Pauses.Counts[i]
		s.Pauses += counts[i]
	}
	seen := uint64(0)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		s.PauseMax = v.Pauses.UpTo[i]
		if seen*100 < s.Pauses*99 {
			s.PauseP99 = s.PauseMax
		}
		seen += n
	}
	return s
}
