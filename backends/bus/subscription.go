package bus

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// subscription is one client in one topic. It is live when follow is nil:
// messages go straight to the stream. Else somebody leads it back there.
type subscription struct {
	client  *client
	topic   *topic
	index   int                    // in topic.subs; guarded by topic.mu
	visible atomic.Pointer[Member] // as which it is present, and told who comes and goes; nil: it is not, for ever

	// Guarded by client.mu.
	gone   bool
	follow *follower
	at     Position // the last message that it was told, where follow is nil
}

// position returns the place up to which the client was told everything, with
// the client's lock held.
func (s *subscription) position() Position {
	if s.follow != nil {
		return s.follow.at
	}
	return s.at
}

// deliver takes what the topic's fan-out has to tell; before is the position
// that the subscriber has reached until then. It reports whether the session was
// sent it.
func (s *subscription) deliver(e *event, before Position) bool {
	if e.member != "" && (s.visible.Load() == nil || e.member == s.client.member) {
		return false
	}
	sent, end := s.take(e, before)
	if end {
		s.client.stream.Session().Terminate(overflow(s.topic.name))
	}
	return sent
}

// comeBack has the client be present again: it is still here, and another process has
// taken this one for dead and everybody at it for gone.
func (s *subscription) comeBack() {
	c := s.client
	for c.ctx.Err() == nil {
		err := s.joinAgain()
		if err == nil {
			return
		}
		c.bus.opts.Logger.WarnContext(c.ctx, "bus member not present again", "error", err)
		if !isUnavailable(err) {
			return
		}
		select {
		case <-time.After(engineRetry):
		case <-c.ctx.Done():
		}
	}
}

func (s *subscription) joinAgain() error {
	c := s.client
	c.turn.Lock()
	defer c.turn.Unlock()
	i, ok := c.find(s.topic.name)
	m := s.visible.Load()
	if !ok || c.subs[i] != s || m == nil {
		return nil // it has left meanwhile
	}
	if c.stream.Session().Stored(c.ctx) != nil {
		return nil // it has gone on elsewhere, where it is present
	}
	return c.bus.engine.Join(c.ctx, s.topic.name, *m)
}

// take reports whether the session is to be ended, which is done without the
// lock.
func (s *subscription) take(e *event, before Position) (sent, end bool) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.gone || s.follow != nil && s.follow.take(e) {
		return false, false
	}
	err := s.client.put(e.payload, s.client.owes(s.topic.name, e.at, e.receipt))
	if !errors.Is(err, transport.ErrFull) {
		if e.member == "" {
			s.at = e.at
		}
		return err == nil, false
	}
	s.client.bus.opts.Trace.slow(s.topic.rule.Slow)
	if s.topic.rule.Slow == End {
		s.gone = true
		return false, true
	}
	s.fallBehind(before, e.member != "")
	return false, false
}

// fallBehind starts to follow from the position, with the lock held.
func (s *subscription) fallBehind(at Position, stale bool) {
	if s.follow != nil {
		at = s.follow.at // history brought it further than fan-out
	}
	// Not the stream's context itself: a goroutine would have to watch it.
	// When the stream is over, Close cancels.
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.client.ctx))
	f := &follower{sub: s, at: at, stale: stale, cancel: cancel, done: make(chan struct{})}
	s.follow = f
	s.topic.slow.Add(1)
	go func() {
		defer close(f.done)
		defer s.topic.slow.Add(-1)
		defer cancel()
		s.client.failed(f.catchUp(ctx))
	}()
}

// stop takes the subscriber out; nothing is sent for it any more when it
// returns.
func (s *subscription) stop() {
	s.client.mu.Lock()
	s.gone = true
	f := s.follow
	s.client.mu.Unlock()
	if f != nil && f.cancel != nil {
		f.cancel()
		<-f.done
	}
	s.topic.detach(s)
}

// overflow ends the session of a subscriber that is too slow.
func overflow(topic string) *transport.Termination {
	return &transport.Termination{Condition: transport.Overflow, Text: "too slow for topic " + strconv.Quote(topic)}
}
