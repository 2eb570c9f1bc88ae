package main

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	runtime "runtime/metrics"

	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
)

// A memoryBudget is a size, "off", or "auto": half of the memory limit.
type memoryBudget int64

const (
	autoBudget memoryBudget = 0
	noBudget   memoryBudget = math.MaxInt64
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *memoryBudget) UnmarshalText(text []byte) error {
	switch string(text) {
	case "auto":
		*b = autoBudget
		return nil
	case "off":
		*b = noBudget
		return nil
	}
	n, err := parseSize(text)
	if err != nil {
		err = errors.Join(err, errors.New("nor is it auto or off"))
	}
	*b = memoryBudget(n)
	return err
}

// String returns what UnmarshalText understands.
func (b memoryBudget) String() string {
	switch b {
	case autoBudget:
		return "auto"
	case noBudget:
		return "off"
	}
	return formatSize(int64(b))
}

// budget returns the budget; nil, if there is none.
func (s *settings) budget() *transport.Budget {
	b := &transport.Budget{Bytes: int64(s.MemoryBudget), Heap: heapInUse}
	if s.MemoryLimit != noMemoryLimit && s.MemoryLimit != 0 {
		b.MaxHeap = int64(s.MemoryLimit) / 8 * 7
	}
	switch {
	case s.MemoryBudget == noBudget, s.MemoryBudget == autoBudget && b.MaxHeap == 0:
		return nil
	case s.MemoryBudget == autoBudget:
		b.Bytes = int64(s.MemoryLimit) / 2
	}
	return b
}

// heapInUse returns the bytes that the last garbage collection found in use.
func heapInUse() int64 {
	sample := []runtime.Sample{{Name: "/gc/heap/live:bytes"}}
	runtime.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// bodyRate is that of the handlers' options, where zero is a default.
func (s *settings) bodyRate() int {
	if s.BodyRate <= 0 {
		return -1
	}
	return s.BodyRate
}

// boundedHeader refuses headers of too many lines. Our own server does so before
// it reads them.
func (s *settings) boundedHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ours := w.(park.Writer); !ours {
			lines := 0
			for _, values := range r.Header {
				lines += len(values)
			}
			if lines > cmp.Or(s.MaxHeaderLines, httpd.DefaultMaxFields) {
				w.Header().Set("Connection", "close")
				http.Error(w, "too many header lines", http.StatusRequestHeaderFieldsTooLarge)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
