package jetstream

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Away is how long a process may be silent before the members that are at it are
// gone.
const Away = 15 * time.Second

var (
	// aliveEvery is how often a process says that it is there.
	aliveEvery = 2 * time.Second
	awayAfter  = Away // less in tests
)

// lives are the processes that are there. Each run of one has a name of its own.
type lives struct {
	engine *Engine
	own    string
	away   time.Duration
	every  time.Duration

	mu    sync.Mutex
	heard map[string]time.Time
	self  time.Time // when it last heard itself
	since time.Time // since when it hears the others, uninterrupted
}

func (l *lives) begin(e *Engine) error {
	l.engine, l.own = e, newID()
	l.away, l.every = awayAfter, aliveEvery
	l.heard = make(map[string]time.Time)
	l.self, l.since = time.Now(), time.Now()
	sub, err := e.opts.Conn.Subscribe(e.opts.subject("here"), l.hear)
	if err != nil {
		return err
	}
	e.stopped.Go(func() {
		defer sub.Unsubscribe()
		l.run()
	})
	return nil
}

func (l *lives) run() {
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	connected := l.engine.opts.Conn.StatusChanged(nats.CONNECTED)
	defer l.engine.opts.Conn.RemoveStatusListener(connected)
	listening := connected
	for {
		_ = l.engine.opts.Conn.Publish(l.engine.opts.subject("here"), []byte(l.own)) // it is missed, or not
		select {
		case now := <-ticker.C:
			l.bury(now)
		case _, open := <-listening:
			if !open { // for good
				listening = nil
				break
			}
			l.back(time.Now())
		case <-l.engine.ctx.Done():
			return
		}
	}
}

func (l *lives) hear(msg *nats.Msg) {
	now := time.Now()
	life := string(msg.Data)
	l.mu.Lock()
	late := false
	if life == l.own {
		late = now.Sub(l.self) > l.away/2
		l.self = now
	} else if len(life) <= 64 {
		last, known := l.heard[life]
		late = known && now.Sub(last) > 3*l.every // one of us was cut off
		l.heard[life] = now
	}
	l.mu.Unlock()
	if late {
		l.back(now)
	}
}

// back is when this process did not hear for a while: it may have missed anything.
func (l *lives) back(now time.Time) {
	l.mu.Lock()
	l.since = now
	l.mu.Unlock()
	l.engine.refresh()
}

// sure reports whether what is heard can be relied on; with the lock held.
func (l *lives) sure(now time.Time) bool {
	return now.Sub(l.self) <= l.away/2 && now.Sub(l.since) >= l.away
}

// alive reports whether a process is there, as far as is known.
func (l *lives) alive(life string) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if life == l.own {
		return true
	}
	heard, known := l.heard[life]
	if !known && !l.sure(now) {
		l.heard[life] = now // it is to be heard
		return true
	}
	return known && (now.Sub(heard) <= l.away || !l.sure(now))
}

// bury removes who is at processes that are dead.
func (l *lives) bury(now time.Time) {
	var dead []string
	l.mu.Lock()
	if l.sure(now) {
		for life, heard := range l.heard {
			if now.Sub(heard) > l.away {
				delete(l.heard, life)
				dead = append(dead, life)
			}
		}
	}
	l.mu.Unlock()
	if len(dead) == 0 {
		return
	}
	for _, t := range l.engine.all() {
		for _, life := range dead {
			t.bury(life)
		}
	}
}

// all returns the topics known here.
func (e *Engine) all() []*tail {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*tail, 0, len(e.tails))
	for _, t := range e.tails {
		all = append(all, t)
	}
	return all
}
