package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// Browsers are those that have subscribed to notifications: a webpush.Store. Each process
// has all of them in its memory, as far as it has read the stream that they are in, and
// waits until it has read what it has changed. It may be used by many goroutines at once.
type Browsers struct {
	opts   Options
	known  *webpush.Memory
	log    *log
	follow jetstream.ConsumeContext

	mu   sync.Mutex
	seq  uint64        // up to here the stream was read
	all  bool          // there was nothing more then, once
	read chan struct{} // closed when more is read
}

// A browserChange is a message of the stream, of which it keeps the last one of each
// browser: a new field is one that processes of the version before leave out.
type browserChange struct {
	User   string                `json:"user"`
	Put    *webpush.Subscription `json:"put,omitempty"`
	Delete string                `json:"delete,omitempty"` // an endpoint
}

// forgottenFor is how long the stream says that a browser is not to be notified any
// more, for processes that missed it.
const forgottenFor = "24h"

// NewBrowsers returns the store of all processes with this prefix. It knows all browsers
// after [Browsers.Load].
func NewBrowsers(ctx context.Context, o Options, l webpush.Limits) (*Browsers, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Browsers{opts: o, known: webpush.NewMemory(l), read: make(chan struct{})}
	if b.log, err = b.opts.open(ctx, jetstream.StreamConfig{
		Name:              o.name("browsers"),
		Description:       "browsers that mochibosh notifies",
		Subjects:          []string{o.subject("browser", "*")},
		MaxMsgsPerSubject: 1,
		AllowMsgTTL:       true,
	}); err != nil {
		return nil, err
	}
	info, err := b.log.stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	b.all = info.State.Msgs == 0
	consumer, err := b.log.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, fmt.Errorf("jetstream: stream %s: %w", b.log.name, err)
	}
	if b.follow, err = consumer.Consume(b.take, jetstream.ConsumeErrHandler(b.failed)); err != nil {
		return nil, fmt.Errorf("jetstream: stream %s: %w", b.log.name, err)
	}
	return b, nil
}

// Load returns when all is read that the stream had at the start.
func (b *Browsers) Load(ctx context.Context) error {
	return b.await(ctx, func() bool { return b.all })
}

// Close stops following the stream.
func (b *Browsers) Close() {
	b.follow.Stop()
	<-b.follow.Closed()
}

func (b *Browsers) failed(_ jetstream.ConsumeContext, err error) {
	b.opts.Logger.Warn("jetstream: browsers are not read just now", "error", err)
}

// take takes what the stream has.
func (b *Browsers) take(msg jetstream.Msg) {
	at, err := msg.Metadata()
	if err != nil {
		b.opts.Logger.Error("jetstream: a browser without a number", "error", err)
		return
	}
	var c browserChange
	if err = json.Unmarshal(msg.Data(), &c); err == nil && c.Put != nil {
		err = b.known.Put(context.Background(), c.User, *c.Put) // limits may be smaller here
	} else if err == nil {
		err = b.known.Delete(context.Background(), c.User, c.Delete)
	}
	if err != nil {
		b.opts.Logger.Error("jetstream: a browser is left out", "sequence", at.Sequence.Stream, "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq, b.all = at.Sequence.Stream, b.all || at.NumPending == 0
	close(b.read)
	b.read = make(chan struct{})
}

// await waits until so much is read; it asks with the lock held.
func (b *Browsers) await(ctx context.Context, enough func() bool) error {
	for {
		b.mu.Lock()
		done, more := enough(), b.read
		b.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Put implements webpush.Store. Errors: a *bus.Error with Busy, if there are too many, or
// with Unavailable.
func (b *Browsers) Put(ctx context.Context, user string, s webpush.Subscription) error {
	forgets, err := b.known.Fits(user, s.Endpoint)
	if err != nil {
		return err
	}
	if err := b.change(ctx, s.Endpoint, &browserChange{User: user, Put: &s}); err != nil {
		return err
	}
	for _, endpoint := range forgets { // else the stream would keep it
		if err := b.change(ctx, endpoint, &browserChange{User: user, Delete: endpoint}); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements webpush.Store. Error: a *bus.Error with Unavailable.
func (b *Browsers) Delete(ctx context.Context, user, endpoint string) error {
	all, err := b.known.Of(ctx, user)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(s webpush.Subscription) bool { return s.Endpoint == endpoint }) {
		return nil
	}
	return b.change(ctx, endpoint, &browserChange{User: user, Delete: endpoint})
}

// Of implements webpush.Store.
func (b *Browsers) Of(ctx context.Context, user string) ([]webpush.Subscription, error) {
	return b.known.Of(ctx, user)
}

// Users implements webpush.Store.
func (b *Browsers) Users(ctx context.Context, topic string) ([]string, error) {
	return b.known.Users(ctx, topic)
}

// subject is that of a browser: its endpoint is a secret, and longer than a subject may be.
func (b *Browsers) subject(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return b.opts.subject("browser", hex.EncodeToString(sum[:16]))
}

// change stores a change, and returns when this process has read it.
func (b *Browsers) change(ctx context.Context, endpoint string, c *browserChange) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	msg := nats.NewMsg(b.subject(endpoint))
	if c.Put == nil {
		msg.Header.Set("Nats-TTL", forgottenFor)
	}
	var err error
	if msg.Data, err = json.Marshal(c); err != nil {
		return err
	}
	seq, err := b.store(ctx, msg)
	if err == nil {
		err = b.await(ctx, func() bool { return b.seq >= seq })
	}
	if err != nil {
		return &bus.Error{Code: bus.Unavailable, Text: "browsers cannot be stored just now", Err: err}
	}
	return nil
}

// store stores a message, whatever there is. It is harmless to store it twice.
func (b *Browsers) store(ctx context.Context, msg *nats.Msg) (seq uint64, err error) {
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		ack, err := b.log.js.PublishMsg(once, msg)
		cancel()
		switch {
		case err == nil:
			return ack.Sequence, nil
		case refused(err):
			return 0, err
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return 0, errors.Join(err, ctx.Err())
		}
	}
}
