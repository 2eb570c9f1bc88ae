package transport

import (
	"cmp"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Budget bounds what a process keeps for its clients, all together: what its
// sessions are owed and what they sent, and what Others count. It is shared by
// any number of managers, and not to be copied. What happens follows from how
// much is kept:
//
//   - from Bytes, new sessions are refused with [ErrNoMemory];
//   - from an eighth more, each queue takes an eighth only of what it may: who
//     has more waiting than that is slowed down, the others notice nothing;
//   - from a quarter more, Shed is called, and if that does not do, the sessions
//     that keep most end with Overflow, until it is an eighth too much again.
//
// A frame that many sessions are owed counts for each of them. That is more than
// it takes, so all of this waits until Heap agrees.
type Budget struct {
	// Bytes is the budget.
	Bytes int64
	// Heap returns the bytes that the process really has in use. Less than the
	// budget, and what is counted is not believed. Nil: it is.
	Heap func() int64
	// MaxHeap, if set, has new sessions refused while Heap is above it, however
	// little is counted: sessions themselves take memory.
	MaxHeap int64
	// Others return what is kept elsewhere: histories, output that is not read.
	Others []func() int64
	// Shed, if set, frees about so many bytes elsewhere, from who keeps most, and
	// returns how many it freed.
	Shed func(bytes int64) int64

	sessions atomic.Int64 // what these keep, in steps
	level    atomic.Int32
	looked   atomic.Int64 // when the level was found out, in Unix nanoseconds
	shedding atomic.Bool

	mu       sync.Mutex
	managers []*Manager
}

// ErrNoMemory means that the Budget is spent.
var ErrNoMemory = errors.New("transport: memory budget spent")

const (
	calm  = iota
	spent // no new sessions
	tight // queues are small
	over  // the largest go
)

const (
	// A session tells what it keeps when that changed by so many bytes, or to
	// none. So no message of a client that keeps up costs more than a comparison,
	// and an idle session counts nothing.
	budgetStep = 2048
	// lookInterval is how long a level is taken for granted.
	lookInterval = 5 * time.Millisecond
	// tightShare is the part of their limits that queues have when memory is tight.
	tightShare = 8
)

// Used returns the bytes that count: those kept, unless the heap has less.
func (b *Budget) Used() int64 {
	n := b.sessions.Load()
	for _, f := range b.Others {
		n += f()
	}
	if n >= b.Bytes && b.Heap != nil {
		n = min(n, b.Heap())
	}
	return n
}

// Full reports whether new sessions are refused.
func (b *Budget) Full() bool {
	switch {
	case b == nil:
		return false
	case b.look(time.Now()) > calm:
		return true
	}
	return b.MaxHeap > 0 && b.Heap != nil && b.Heap() > b.MaxHeap
}

// tight reports whether queues are to be small.
func (b *Budget) tight() bool { return b != nil && b.level.Load() >= tight }

// note takes what a session keeps more than before, or less. It is called
// without locks.
func (b *Budget) note(now time.Time, more int) {
	if b == nil {
		return
	}
	if more != 0 {
		b.sessions.Add(int64(more))
	}
	if more > 0 || b.level.Load() > calm {
		b.look(now)
	}
}

// look finds the level out, unless that was done just now.
func (b *Budget) look(now time.Time) int32 {
	last, at := b.looked.Load(), now.UnixNano()
	if at-last < int64(lookInterval) || !b.looked.CompareAndSwap(last, at) {
		return b.level.Load()
	}
	level := int32(calm)
	switch used := b.Used(); {
	case used >= b.Bytes+b.Bytes/4:
		level = over
	case used >= b.Bytes+b.Bytes/8:
		level = tight
	case used >= b.Bytes:
		level = spent
	}
	b.level.Store(level)
	if level == over && !b.shedding.Swap(true) {
		go b.shed()
	}
	return level
}

// shed gets rid of the largest.
func (b *Budget) shed() {
	defer b.shedding.Store(false)
	excess := b.Used() - (b.Bytes + b.Bytes/8)
	if b.Shed != nil && excess > 0 {
		excess -= b.Shed(excess)
	}
	if excess > 0 {
		b.shedSessions(excess)
	}
	if b.Heap != nil {
		runtime.GC() // what is freed is to be seen before more is
	}
}

// shedSessions ends sessions, the largest first, until so many bytes are freed.
// Of those that are over, what is left is forgotten.
func (b *Budget) shedSessions(bytes int64) {
	type large struct {
		*Session
		keeps int
	}
	var all []large
	b.mu.Lock()
	managers := slices.Clone(b.managers)
	b.mu.Unlock()
	for _, m := range managers {
		for _, s := range m.all() {
			if n := s.keeps(); n > 0 {
				all = append(all, large{s, n})
			}
		}
	}
	slices.SortFunc(all, func(x, y large) int { return cmp.Compare(y.keeps, x.keeps) })
	n := 0
	for freed := int64(0); n < len(all) && freed < bytes; n++ {
		freed += int64(all[n].keeps)
		all[n].shed()
	}
	if n > 0 {
		all[0].manager.opts.Logger.Warn("memory budget exceeded, sessions end", "sessions", n, "bytes", bytes)
	}
}

func (b *Budget) join(m *Manager) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.managers = append(b.managers, m)
	}
}

// ---- the sessions' side

// keeps returns what the session has told the budget.
func (s *Session) keeps() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.told)
}

// weigh returns what the session keeps more than the budget knows, if that is
// worth telling; with the lock held.
func (s *Session) weigh() (more int) {
	if s.manager.opts.Budget == nil {
		return 0
	}
	keeps := min(s.machine.keeps(), math.MaxInt32)
	more = keeps - int(s.told)
	if more > -budgetStep && more < budgetStep && keeps > 0 {
		return 0
	}
	s.told = int32(keeps)
	return more
}

// leaveBudget has the session count no more.
func (s *Session) leaveBudget() {
	s.mu.Lock()
	told := s.told
	s.told = 0
	s.mu.Unlock()
	s.manager.opts.Budget.note(time.Now(), -int(told))
}

// shed frees what the session keeps, by its end.
func (s *Session) shed() {
	if s.Terminate(&Termination{Condition: Overflow, Text: "the server is short of memory, and this session kept much of it"}) {
		return
	}
	var fx effects
	now := s.lock()
	s.machine.out.drop()
	s.machine.answers, s.machine.sent = nil, s.machine.out.base
	s.unlock(now, &fx)
}

// keeps returns the bytes that the session keeps for its client and backends.
func (m *machine) keeps() int { return m.out.bytes + m.in.pending + m.in.parked }

// squeeze has the queues take an eighth of what they may, or all of it.
func (m *machine) squeeze(on bool) {
	if on != m.squeezed {
		share := 1
		if m.squeezed = on; on {
			share = tightShare
		}
		m.in.max, m.out.max = max(1, m.params.MaxInbox/share), m.params.MaxOutbox/share
	}
}
