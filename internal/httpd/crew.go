//go:build linux

package httpd

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// A crew does what a poller finds to do. Its lead polls, and does it on the
// spot: with a goroutine for each event, the scheduler would wake another thread
// for it, which costs more than most events. Where there is much to do at once,
// others help.
//
// A task may wait, or take long. Who knows that it will, says so with waits;
// else the guard finds out. Then somebody else goes on with what the crew has to
// do, and who is at that task ends with it.
type crew struct {
	lead func(*mate) // polls and does what there is, until relieved or at the end

	mu      sync.Mutex
	tasks   []task // first in, first out
	next    int    // of them; those before were begun
	begun   uint64 // tasks, so far
	mates   []*mate
	leader  *mate
	guard   *time.Timer // nil before the first task
	guarded bool        // it runs
	looked  uint64      // begun, when the guard last looked
}

// A mate is a goroutine of a crew. Its fields are guarded by the crew's lock.
type mate struct {
	crew *crew
	conn *conn  // whose task it is at; nil: none
	at   uint64 // the number of the task
	off  bool   // it belongs to the crew no more
}

// A task is what a connection has to do when something happened to it: serve
// requests, or, if a handler has taken it, call who waits for input.
type task struct {
	conn *conn
	f    func() // nil: serve
}

const (
	// enoughToShare is how many tasks are worth another goroutine.
	enoughToShare = 4
	// guardInterval is how often the guard looks. Who is at the same task as the
	// last time is relieved.
	guardInterval = 10 * time.Millisecond
)

func newCrew(lead func(*mate)) *crew {
	c := &crew{lead: lead}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appoint()
	return c
}

// appoint has a new mate lead, with the lock held.
func (c *crew) appoint() {
	c.leader = c.join(func(m *mate) {
		if m.do() { // what the one before has left
			c.lead(m)
		}
	})
}

// join adds a mate, with the lock held.
func (c *crew) join(do func(*mate)) *mate {
	m := &mate{crew: c}
	c.mates = append(c.mates, m)
	go func() {
		defer m.quit() // a handler may end its goroutine
		growStack(1)
		do(m)
	}()
	return m
}

// do does these tasks, and what else there is. It reports whether the mate
// still belongs to the crew.
func (m *mate) do(tasks ...task) bool {
	c := m.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tasks = append(c.tasks, tasks...)
	c.share()
	for !m.off && c.next < len(c.tasks) {
		t := c.tasks[c.next]
		c.next++
		c.begun++
		m.conn, m.at = t.conn, c.begun
		c.watch()
		m.run(t)
		m.conn = nil
	}
	if c.next == len(c.tasks) {
		clear(c.tasks)
		c.tasks, c.next = c.tasks[:0], 0
	}
	return !m.off
}

// run does a task, without the lock.
func (m *mate) run(t task) {
	m.crew.mu.Unlock()
	defer m.crew.mu.Lock()
	if t.f != nil {
		t.f()
	} else {
		t.conn.serve()
	}
}

// share has others help if there is much to do, with the lock held.
func (c *crew) share() {
	left := len(c.tasks) - c.next
	for len(c.mates) < runtime.GOMAXPROCS(0) && left >= enoughToShare*len(c.mates) {
		c.join(func(m *mate) { m.do() })
	}
}

// quit is called by a mate that goes away. It is not to be missed unless it had
// something to do.
func (m *mate) quit() {
	m.crew.mu.Lock()
	defer m.crew.mu.Unlock()
	if m.conn != nil {
		m.crew.relieve(m)
	}
	m.crew.dismiss(m)
}

// dismiss has a mate belong to the crew no more, with the lock held.
func (c *crew) dismiss(m *mate) {
	if i := slices.Index(c.mates, m); i >= 0 {
		m.off = true
		c.mates = slices.Delete(c.mates, i, i+1)
	}
}

// relieve has somebody else do what a mate had to do besides its task, with the
// lock held.
func (c *crew) relieve(m *mate) {
	if m.off {
		return
	}
	c.dismiss(m)
	if m == c.leader {
		c.appoint()
	} else if c.next < len(c.tasks) {
		c.join(func(m *mate) { m.do() })
	}
}

// waits says that what is done for a connection will take a while. The lock of
// the connection may be held.
func (c *crew) waits(on *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.mates {
		if m.conn == on {
			c.relieve(m)
			return
		}
	}
}

// watch has the guard look after a while, with the lock held.
func (c *crew) watch() {
	switch {
	case c.guarded:
		return
	case c.guard == nil:
		c.guard = time.AfterFunc(guardInterval, c.look)
	default:
		c.guard.Reset(guardInterval)
	}
	c.guarded = true
}

// look is the guard. It goes on as long as there is anything to do.
func (c *crew) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.looked
	c.looked = c.begun
	c.guarded = false
	for _, m := range slices.Clone(c.mates) {
		if m.conn != nil && m.at <= before {
			c.relieve(m)
		}
	}
	if c.begun > before {
		c.watch()
	}
}
