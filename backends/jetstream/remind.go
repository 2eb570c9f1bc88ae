package jetstream

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// What a stream publishes once more may get lost, and then the next batch shows it.
// When there is none, who has published the last one says so again, after a moment and
// after a while: that is heard by those who follow the topic only.
var remindAfter = [...]time.Duration{2 * time.Second, 10 * time.Second}

// A reminder is what there is to be said again of a topic; with the tail's lock.
type reminder struct {
	timer *time.Timer // nil: nothing
	round int
	seq   uint64    // of the batch that was published here
	at    time.Time // and when
}

// publishedHere notes that a batch was, with the lock held.
func (t *tail) publishedHere(seq uint64) {
	r := &t.reminder
	r.seq, r.at, r.round = seq, time.Now(), 0
	if r.timer == nil {
		r.timer = time.AfterFunc(remindAfter[0], t.remind)
	}
}

func (t *tail) remind() {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.reminder
	if t.seq > r.seq || t.engine.ctx.Err() != nil {
		r.timer = nil // somebody has published since
		return
	}
	if early := remindAfter[r.round] - time.Since(r.at); early > 0 {
		r.timer.Reset(early)
		return
	}
	msg := nats.NewMsg(t.engine.opts.subject("said", t.token))
	msg.Header.Set("Nats-Sequence", strconv.FormatUint(r.seq, 10))
	msg.Header.Set("Nats-Last-Sequence", "0") // what is in it has to be read
	if t.engine.opts.Conn.PublishMsg(msg) != nil {
		r.timer.Reset(remindAfter[0]) // nobody was reminded
		return
	}
	if r.round++; r.round == len(remindAfter) {
		r.timer = nil
		return
	}
	r.timer.Reset(remindAfter[r.round] - time.Since(r.at))
}
