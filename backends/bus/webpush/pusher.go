package webpush

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
)

// receiptTopics are those in which it is seen who has acknowledged a message: one for
// each that waits for that, so any process may be the one with the user's session.
const receiptTopics = auth.Reserved + "push/"

// TopicRule is what a bus needs for Message.After, before all other rules.
func TopicRule() bus.TopicRule {
	return bus.TopicRule{Pattern: receiptTopics + "*", ServerOnly: true, ShowUsers: true, NoPresence: true, History: 10_000, Age: 2 * DefaultMaxAfter}
}

// A Pusher publishes messages, and hands notifications to the push services of those
// who are not there. It may be used by many goroutines at once.
type Pusher struct {
	bus    *bus.Bus
	opts   Options
	reach  reach
	client *http.Client
	slots  chan struct{} // one for each request at once

	mu      sync.Mutex
	waiting int
	closing chan struct{} // closed: what can be sent is sent at once, or never
	closed  bool
	done    sync.WaitGroup
	ctx     context.Context // of all requests
	cancel  context.CancelFunc
}

// New returns a pusher for a bus, whose rules have to begin with [TopicRule].
func New(b *bus.Bus, opts Options) (*Pusher, error) {
	p := &Pusher{bus: b, opts: opts, closing: make(chan struct{})}
	if err := p.opts.setDefaults(b); err != nil {
		return nil, err
	}
	p.reach = reach{p.opts.Hosts, p.opts.Networks}
	p.client = p.reach.client(p.opts.RootCAs, p.opts.Timeout)
	p.slots = make(chan struct{}, p.opts.Concurrent)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Key returns the public key that pages subscribe with.
func (p *Pusher) Key() string { return p.opts.Keys.Public() }

// Register keeps a subscription of a user, who may subscribe to its topics: that the
// caller has found out. Errors: a *bus.Error with BadRequest, Forbidden or Busy; the
// store's.
func (p *Pusher) Register(ctx context.Context, user string, s Subscription) error {
	if user == "" {
		return badRequest("user is missing or empty")
	}
	if len(s.Topics) > p.opts.MaxTopics {
		return badRequest(fmt.Sprintf("more than %d topics", p.opts.MaxTopics))
	}
	to, err := s.receiver()
	if err != nil {
		return err
	}
	if err := p.reach.check(to.endpoint); err != nil {
		return err
	}
	return p.opts.Store.Put(ctx, user, s)
}

// Unregister forgets a subscription of a user.
func (p *Pusher) Unregister(ctx context.Context, user, endpoint string) error {
	return p.opts.Store.Delete(ctx, user, endpoint)
}

// Publish publishes a message, and sends a notification to those for whom it is and
// who are not there: the user of a user's topic, else those who have registered for
// the topic. A message whose id was published before sends none. What becomes of
// notifications is no error of this.
//
// Errors: those of bus.Bus.Publish; a *bus.Error with BadRequest.
func (p *Pusher) Publish(ctx context.Context, topic string, data json.RawMessage, opts *bus.PublishOptions, m *Message) (bus.Published, error) {
	if err := m.check(p.opts.MaxAfter); err != nil {
		return bus.Published{}, err
	}
	payload, err := m.payload(p.opts.MaxPayload)
	if err != nil {
		return bus.Published{}, err
	}
	var o bus.PublishOptions
	if opts != nil {
		o = *opts
	}
	if m.After > 0 {
		if o.Receipts != "" {
			return bus.Published{}, badRequest("push: after and receipts exclude each other")
		}
		o.Receipts = receiptTopics + rand.Text()
	}
	done, err := p.bus.Publish(ctx, topic, data, &o)
	if err != nil || done.Duplicate {
		return done, err
	}
	users, err := p.users(ctx, topic)
	if err != nil {
		p.failed("store", err)
	}
	for _, user := range users {
		p.start(&errand{user: user, message: m, payload: payload, receipts: o.Receipts, began: time.Now()})
	}
	return done, nil
}

// PublishJSON is Publish with a message as [ParseMessage] reads it.
func (p *Pusher) PublishJSON(ctx context.Context, topic string, data json.RawMessage, opts *bus.PublishOptions, push json.RawMessage) (bus.Published, error) {
	m, err := ParseMessage(push)
	if err != nil {
		return bus.Published{}, err
	}
	return p.Publish(ctx, topic, data, opts, m)
}

// users are those for whom a topic is.
func (p *Pusher) users(ctx context.Context, topic string) ([]string, error) {
	if user, ok := strings.CutPrefix(topic, auth.UserTopics); ok {
		return []string{user}, nil
	}
	return p.opts.Store.Users(ctx, topic)
}

// Waiting returns how many notifications wait.
func (p *Pusher) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// start has a notification sent, unless too many wait.
func (p *Pusher) start(e *errand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		p.opts.Trace.Failed("shutdown")
	case p.waiting >= p.opts.MaxWaiting:
		p.failed("full", fmt.Errorf("%d notifications wait already", p.waiting))
	default:
		p.waiting++
		p.done.Go(func() {
			p.run(e)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.waiting--
		})
	}
}

// Close sends at once what waits for acknowledgements that have not come, and gives up
// what would have to be sent again. It returns when that is done, or the context is.
func (p *Pusher) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.done.Wait()
		close(done)
	}()
	defer p.cancel()
	select {
	case <-done:
		p.client.CloseIdleConnections()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failed counts a notification that is given up, and says why.
func (p *Pusher) failed(reason string, err error) {
	p.opts.Trace.Failed(reason)
	p.opts.Logger.Warn("push notification not sent", "reason", reason, "error", err)
}
