package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// receipts are what all clients of a bus owe, and how it is given: in topics, or to
// Options.OnReceipts. Clients bring them where they must not wait, so a goroutine
// gives them, as long as there are any.
type receipts struct {
	bus    *Bus
	count  atomic.Int64 // owed, by all
	warned atomic.Int64 // when it was logged that they are too many, in Unix seconds
	topics outlet
	server outlet
}

// enter counts one more; it reports false if there are too many.
func (r *receipts) enter() bool {
	if r.count.Add(1) <= int64(r.bus.opts.MaxReceipts) {
		return true
	}
	r.count.Add(-1)
	r.bus.opts.Trace.limited("MaxReceipts")
	if now, last := time.Now().Unix(), r.warned.Load(); now-last >= 60 && r.warned.CompareAndSwap(last, now) {
		r.bus.opts.Logger.Warn("some receipts will be missing: too many are waited for", "max", r.bus.opts.MaxReceipts)
	}
	return false
}

func (r *receipts) leave() { r.count.Add(-1) }

// give takes a receipt whose client has acknowledged the message.
func (r *receipts) give(o *owed) {
	if o.to == ServerReceipts && r.bus.opts.OnReceipts != nil {
		r.server.put(o, r.hand)
	} else {
		r.topics.put(o, r.publish)
	}
}

// publish publishes receipts, one message each, and forgets them when they are as
// safe as the engine makes them.
func (r *receipts) publish(all []*owed) {
	ctx := context.Background() // its end is nobody's business
	for _, o := range all {
		_, err := r.bus.publish(ctx, o.to, Publication{Data: o.AppendJSON(nil)}, true)
		r.failed(err)
	}
	if s, ok := r.bus.engine.(Syncer); ok {
		r.failed(s.Sync(ctx))
	}
	for _, o := range all {
		o.forget()
	}
}

// maxHanded bounds the receipts of one call of Options.OnReceipts.
const maxHanded = 100

// hand gives receipts to Options.OnReceipts.
func (r *receipts) hand(all []*owed) {
	for len(all) > 0 {
		n := min(len(all), maxHanded)
		batch := make([]Receipt, n)
		for i, o := range all[:n] {
			batch[i] = o.Receipt
		}
		r.failed(r.bus.opts.OnReceipts(context.Background(), batch))
		for _, o := range all[:n] {
			o.forget()
		}
		all = all[n:]
	}
}

func (r *receipts) failed(err error) {
	if err != nil {
		r.bus.opts.Logger.Warn("receipts are lost", "error", err)
	}
}

// An outlet is a queue with a goroutine while there is something in it.
type outlet struct {
	mu    sync.Mutex
	queue []*owed
	busy  bool
	idle  chan struct{} // closed when it is empty; nil: nobody waits
}

func (q *outlet) put(o *owed, give func([]*owed)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, o)
	if !q.busy {
		q.busy = true
		go q.drain(give)
	}
}

func (q *outlet) drain(give func([]*owed)) {
	for {
		q.mu.Lock()
		all := q.queue
		if q.queue = nil; len(all) == 0 {
			q.busy = false
			if q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		give(all)
	}
}

// settled waits until it is empty.
func (q *outlet) settled(ctx context.Context) error {
	q.mu.Lock()
	if !q.busy {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
