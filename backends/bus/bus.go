package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/transport"
)

// A Bus connects sessions with topics. It is a [transport.Backend]; each of
// its streams is a client of its own. All methods may be called from many
// goroutines at once.
type Bus struct {
	opts     Options
	engine   Engine
	receipts receipts

	mu     sync.Mutex
	topics map[string]*topic // those with subscribers here
}

// New returns a bus. Nil options are the defaults. There is nothing to close:
// the bus ends with its sessions.
func New(opts *Options) *Bus {
	b := &Bus{opts: opts.withDefaults(), topics: make(map[string]*topic)}
	if b.engine = b.opts.Engine; b.engine == nil {
		b.engine = NewMemory(&b.opts)
	}
	b.receipts.bus = b
	return b
}

// Open implements [transport.Backend].
func (b *Bus) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	c := &client{bus: b, stream: st, ctx: ctx, again: st.Restored()}
	if err := c.bind(); err != nil {
		return nil, err
	}
	if c.badge != nil {
		c.badge.Watch(c)
	}
	return c, nil
}

// Settle implements [transport.Settler]: it waits until the receipts that were given
// are in their topics, and all subscribers here are told what was published. What
// Options.OnReceipts was not given yet, the next process gives to it.
func (b *Bus) Settle(ctx context.Context) error {
	if err := b.receipts.topics.settled(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	topics := slices.Collect(maps.Values(b.topics))
	b.mu.Unlock()
	for _, t := range topics {
		if err := t.settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// PublishOptions are what a publication may have besides its data.
type PublishOptions struct {
	// ID makes repeating harmless: the same id in the same topic is published
	// once within Options.IDAge. At most MaxLabel bytes.
	ID string
	// Key says what the message is about, for LatestPerKey. At most MaxLabel
	// bytes.
	Key string
	// Receipts, if set, is the topic in which it is published who has
	// acknowledged the message: a [Receipt] of each client that has.
	Receipts string
	// NoWait has the call fail with Busy, where it would wait for
	// subscribers to be served. It is for functions that must not block, as
	// those that a carrier hands to a session, or those of a Trace.
	NoWait bool
}

// Publish publishes data, which must be one JSON value, in a topic. It returns
// as soon as the message has its position; subscribers get it soon after.
// While the topic is behind by Options.MaxPending it waits. Nil options are
// none. The data is not kept.
//
// Errors: an *Error with BadRequest, TooBig, TooManyTopics, Busy or Internal;
// the context's.
func (b *Bus) Publish(ctx context.Context, topic string, data json.RawMessage, opts *PublishOptions) (Published, error) {
	if opts == nil {
		opts = &PublishOptions{}
	}
	switch {
	case !json.Valid(data) || !utf8.Valid(data):
		return Published{}, badRequest("data is not JSON in UTF-8")
	case len(opts.ID) > MaxLabel || len(opts.Key) > MaxLabel:
		return Published{}, badRequest(fmt.Sprintf("id or key is longer than %d bytes", MaxLabel))
	}
	// Engines may keep what they get; text of the wire is UTF-8.
	p := Publication{Data: oneLine(data), ID: opts.ID, Key: strings.ToValidUTF8(opts.Key, "\ufffd"), Receipts: opts.Receipts}
	return b.publishSafely(ctx, topic, p, !opts.NoWait)
}

// publishSafely returns when the message is as safe as the engine makes it, if
// it may wait for that.
func (b *Bus) publishSafely(ctx context.Context, topic string, p Publication, wait bool) (Published, error) {
	done, err := b.publish(ctx, topic, p, wait)
	if s, ok := b.engine.(Syncer); ok && err == nil && wait {
		err = s.Sync(ctx)
	}
	return done, err
}

// publish publishes what is known to be valid JSON.
func (b *Bus) publish(ctx context.Context, topic string, p Publication, wait bool) (Published, error) {
	if err := b.opts.checkTopic(topic); err != nil {
		return Published{}, err
	}
	if p.Receipts != "" {
		if err := b.opts.checkTopic(p.Receipts); err != nil {
			return Published{}, inReceipts(err)
		}
	}
	switch {
	case p.Data == nil:
		return Published{}, badRequest("data is missing")
	case len(p.Data) > b.opts.maxMessage(topic):
		b.opts.Trace.limited("MaxMessage")
		return Published{}, &Error{Code: TooBig, Text: fmt.Sprintf("data is longer than %d bytes", b.opts.maxMessage(topic))}
	}
	done, err := b.toEngine(ctx, topic, p, wait)
	if err == nil {
		b.opts.Trace.published(len(p.Data), done.Duplicate)
	}
	return done, err
}

// toEngine gives the engine a publication, once the subscribers here are not too
// far behind.
func (b *Bus) toEngine(ctx context.Context, topic string, p Publication, wait bool) (Published, error) {
	b.mu.Lock()
	t := b.topics[topic]
	b.mu.Unlock()
	if t == nil {
		return b.engine.Publish(ctx, topic, p)
	}
	switch {
	case t.full() == nil:
	case wait:
		b.opts.Trace.limited("MaxPending")
		if err := t.Room(ctx); err != nil {
			return Published{}, err
		}
	default:
		b.opts.Trace.limited("MaxPending")
		return Published{}, &Error{Code: Busy, Text: "the topic's subscribers are behind"}
	}
	// An engine that waits, for a network say, would have those wait to whom
	// others publish meanwhile.
	if _, quick := b.engine.(*Memory); quick {
		t.lendHand()
		defer t.takeHand()
	}
	return b.engine.Publish(ctx, topic, p)
}

// History returns a part of a topic's history. Errors: an *Error with
// BadRequest or Internal; the engine's.
func (b *Bus) History(ctx context.Context, topic string, q Query) (Replay, error) {
	if err := b.opts.checkTopic(topic); err != nil {
		return Replay{}, err
	}
	return b.engine.Read(ctx, topic, q)
}

// Presence returns who is present in a topic, up to Options.MaxMembers of them,
// and how many there are. Errors: as of History.
func (b *Bus) Presence(ctx context.Context, topic string) (members []Member, count int, err error) {
	if err := b.opts.checkTopic(topic); err != nil {
		return nil, 0, err
	}
	return b.engine.Members(ctx, topic, b.opts.MaxMembers)
}

// acquire returns the topic, open. Each call is undone by one of release.
func (b *Bus) acquire(ctx context.Context, name string) (*topic, error) {
	b.mu.Lock()
	t := b.topics[name]
	if t == nil {
		t = &topic{bus: b, name: name, rule: b.opts.rule(name)}
		b.topics[name] = t
	}
	t.refs++
	b.mu.Unlock()
	if err := t.open(ctx); err != nil {
		b.release(t)
		return nil, err
	}
	return t, nil
}

func (b *Bus) release(t *topic) {
	b.mu.Lock()
	t.refs--
	last := t.refs == 0
	if last {
		delete(b.topics, t.name)
	}
	b.mu.Unlock()
	if last {
		t.close()
	}
}
