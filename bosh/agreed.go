package bosh

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// agreed has one map for all sessions that agreed on the same, as most do: it
// would be a tenth of what an idle session takes. Nobody writes to them. Its zero
// value is ready, and may be used by many goroutines at once.
type agreed struct {
	mu    sync.Mutex
	known map[string]map[string]string
}

// maxAgreed bounds how many maps are remembered. What clients say is in them, so
// who varies it gets one of his own.
const maxAgreed = 64

// share returns a map that is equal to this one.
func (a *agreed) share(attrs map[string]string) map[string]string {
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		for _, s := range []string{name, attrs[name]} {
			key.WriteString(s)
			key.WriteByte(0) // is in no XML
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if same := a.known[key.String()]; same != nil {
		return same
	}
	if a.known == nil {
		a.known = make(map[string]map[string]string)
	}
	if len(a.known) < maxAgreed {
		a.known[key.String()] = attrs
	}
	return attrs
}
