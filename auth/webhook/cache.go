package webhook

import (
	"sync"
	"time"
)

// cache remembers answers about operations. All of them are forgotten in the
// order in which they came, when there are too many.
type cache struct {
	max int

	mu      sync.Mutex
	answers map[question]remembered
	queue   []question // the keys, as they came
}

type remembered struct {
	allow bool
	until time.Time
}

func (c *cache) get(now time.Time, q question) (allow, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[q]
	if !ok || !now.Before(a.until) {
		return false, false
	}
	return a.allow, true
}

func (c *cache) put(now time.Time, q question, allow bool, age time.Duration) {
	if age <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = make(map[question]remembered)
	}
	if _, ok := c.answers[q]; !ok {
		for len(c.queue) >= c.max {
			delete(c.answers, c.queue[0])
			c.queue = c.queue[1:]
		}
		c.queue = append(c.queue, q)
	}
	c.answers[q] = remembered{allow, now.Add(age)}
}
