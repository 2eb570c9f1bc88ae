package jetstream

import (
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Away is how long a process may be silent before the members that are at it are
// gone.
const Away = 15 * time.Second

var (
	// aliveEvery is how often a process says that it is there: so long a cut of the
	// network is found, and what was missed in it.
	aliveEvery = time.Second
	awayAfter  = Away // less in tests
)

// lives are the processes that are there. Each run of one has a name of its own.
type lives struct {
	engine *Engine
	own    string
	away   time.Duration
	every  time.Duration

	mu    sync.Mutex
	heard map[string]pulse
	self  pulse
	since time.Time // since when it hears the others, uninterrupted
}

// A pulse is when a process was heard last, and which of its signs of life that was.
type pulse struct {
	at    time.Time
	count uint64 // from 1; zero: a process of an earlier version
}

// countHeader is what numbers a sign of life: where one is missing, others may have got
// lost on the same way.
const countHeader = "Mochibosh-Count"

func (l *lives) begin(e *Engine) error {
	l.engine, l.own = e, newID()
	l.away, l.every = awayAfter, aliveEvery
	l.heard = make(map[string]pulse)
	l.self.at, l.since = time.Now(), time.Now()
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
	for count := uint64(1); ; count++ {
		l.say(count)
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

func (l *lives) say(count uint64) {
	msg := nats.NewMsg(l.engine.opts.subject("here"))
	msg.Data = []byte(l.own)
	msg.Header.Set(countHeader, strconv.FormatUint(count, 10))
	_ = l.engine.opts.Conn.PublishMsg(msg) // it is missed, or not
}

func (l *lives) hear(msg *nats.Msg) {
	life := string(msg.Data)
	if len(life) > maxLife {
		return
	}
	count, err := strconv.ParseUint(msg.Header.Get(countHeader), 10, 64)
	if err != nil {
		count = 0
	}
	now := pulse{time.Now(), count}
	l.mu.Lock()
	before := l.heard[life]
	if life == l.own {
		before, l.self = l.self, now
	} else {
		l.heard[life] = now
	}
	missed := before.count > 0 && count > before.count+1 || !before.at.IsZero() && now.at.Sub(before.at) > l.away/2
	l.mu.Unlock()
	if missed { // one of us was cut off
		l.back(now.at)
	}
}

// maxLife bounds the name of a run, in bytes.
const maxLife = 64

// back is when this process did not hear for a while: it may have missed anything.
func (l *lives) back(now time.Time) {
	l.mu.Lock()
	l.since = now
	l.mu.Unlock()
	l.engine.refresh()
}

// sure reports whether what is heard can be relied on; with the lock held.
func (l *lives) sure(now time.Time) bool {
	return now.Sub(l.self.at) <= l.away/2 && now.Sub(l.since) >= l.away
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
		l.heard[life] = pulse{at: now} // it is to be heard
		return true
	}
	return known && (now.Sub(heard.at) <= l.away || !l.sure(now))
}

// bury removes who is at processes that are dead.
func (l *lives) bury(now time.Time) {
	var dead []string
	l.mu.Lock()
	if l.sure(now) {
		for life, heard := range l.heard {
			if now.Sub(heard.at) > l.away {
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
