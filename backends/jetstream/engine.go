package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mochibosh/mochibosh/backends/bus"
)

func newID() string { return uuid.NewString() }

// An Engine is a bus.Engine. All methods may be called from many goroutines at once.
// They wait for NATS, at most for Options.Timeout, where the topic is not known here
// yet, and to publish and to join.
type Engine struct {
	opts     Options
	limits   bus.Options
	topics   *log
	presence *log
	epoch    string
	keep     time.Duration // how long the streams keep a topic that nobody uses
	came     chan *nats.Msg
	stop     context.CancelFunc
	stale    chan struct{} // topics are to be looked at again
	stopped  sync.WaitGroup
	ctx      context.Context
	lives    lives

	mu    sync.Mutex
	tails map[string]*tail
	byHot map[string]*tail // by the token of the topic
}

// NewEngine returns the engine of all processes with this prefix.
func NewEngine(ctx context.Context, o Options) (*Engine, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Engine{opts: o, tails: make(map[string]*tail), byHot: make(map[string]*tail), came: make(chan *nats.Msg, maxCame), stale: make(chan struct{}, 1)}
	if o.Bus != nil {
		e.limits = *o.Bus
	}
	setDefault(&e.limits.MaxTopics, bus.DefaultMaxTopics)
	setDefault(&e.limits.MaxIDs, bus.DefaultMaxIDs)
	setDefault(&e.limits.MaxPending, bus.DefaultMaxPending)
	setDefault(&e.limits.IDAge, bus.DefaultIDAge)
	setDefault(&e.limits.TopicAge, bus.DefaultTopicAge)
	age, batches := e.needs()
	e.keep = age
	if e.topics, err = e.opts.open(ctx, jetstream.StreamConfig{
		Name:              o.name("topics"),
		Description:       "topics of mochibosh",
		Subjects:          []string{o.subject("topic", "*")},
		MaxMsgsPerSubject: int64(batches),
		MaxAge:            age,
		MaxBytes:          max(o.MaxBytes, -1),
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: o.subject("topic", "*"), Destination: o.subject("said", "{{wildcard(1)}}")},
	}); err != nil {
		return nil, err
	}
	if e.epoch, err = e.topics.epoch(ctx); err != nil {
		return nil, err
	}
	if e.presence, err = e.opts.open(ctx, jetstream.StreamConfig{
		Name:              o.name("presence"),
		Description:       "who is present in topics of mochibosh",
		Subjects:          []string{o.subject("present", "*", "*")},
		MaxMsgsPerSubject: 1,
		AllowDirect:       true,
		AllowMsgTTL:       true,
		RePublish:         &jetstream.RePublish{Source: o.subject("present", "*", "*"), Destination: o.subject("seen", "{{wildcard(1)}}", "{{wildcard(2)}}")},
	}); err != nil {
		return nil, err
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	if err := e.lives.begin(e); err != nil {
		e.stop()
		return nil, err
	}
	e.stopped.Go(e.listen)
	e.stopped.Go(e.sweep)
	e.stopped.Go(e.refreshes)
	return e, nil
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// needs returns how long the stream has to keep topics, zero for ever, and how many
// batches of each.
func (e *Engine) needs() (age time.Duration, batches int) {
	age, batches = max(e.limits.TopicAge, e.limits.IDAge), e.opts.MaxBatches
	rules := []bus.TopicRule{e.limits.Rule("")}
	for _, r := range e.limits.Topics {
		rules = append(rules, e.limits.Rule(r.Pattern))
	}
	forever := false
	for _, r := range rules {
		forever = forever || r.Age < 0
		age, batches = max(age, r.Age), max(batches, r.History)
	}
	if forever {
		return 0, batches
	}
	return 2 * age, batches // half of it may be over before a topic in use is renewed
}

// Close stops the engine. Members that did not leave are present for [Away], unless
// their sessions go on elsewhere.
func (e *Engine) Close() {
	e.stop()
	e.stopped.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tails {
		t.unsubscribe()
	}
}

var errUnavailable = &bus.Error{Code: bus.Unavailable, Text: "the event bus cannot be reached just now"}

// failed says what a client is told of an error of NATS.
func (e *Engine) failed(err error) error {
	var refused *bus.Error
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return &bus.Error{Code: errUnavailable.Code, Text: errUnavailable.Text, Err: err}
}

func (e *Engine) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.opts.Timeout)
}

// ---- topics that are known here

// tail returns a topic, which it reads the end of if it is not known here.
func (e *Engine) tail(ctx context.Context, topic string) (*tail, error) {
	e.mu.Lock()
	t := e.tails[topic]
	if t == nil {
		if len(e.tails) >= e.limits.MaxTopics {
			e.mu.Unlock()
			return nil, &bus.Error{Code: bus.TooManyTopics, Text: "the server has too many topics"}
		}
		t = newTail(e, topic)
		e.tails[topic], e.byHot[t.token] = t, t
	}
	t.users++ // it is not forgotten meanwhile
	e.mu.Unlock()
	defer e.release(t)
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	return t, e.failed(t.load(ctx))
}

// release says that who uses the topic does so by now, or will not.
func (e *Engine) release(t *tail) {
	t.use() // not while others wait for the engine: the topic may be handing out
	e.mu.Lock()
	defer e.mu.Unlock()
	t.users--
}

// maxCame bounds what has come from NATS and is not looked at yet. What is above is
// read from the streams.
const maxCame = 16384

// listen takes what the streams publish once more.
func (e *Engine) listen() {
	for {
		select {
		case msg := <-e.came:
			e.hear(msg)
		case <-e.ctx.Done():
			return
		}
	}
}

func (e *Engine) hear(msg *nats.Msg) {
	kind, topic, member := e.apart(msg.Subject)
	e.mu.Lock()
	t := e.byHot[topic]
	e.mu.Unlock()
	seq, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
	if t == nil || err != nil {
		return
	}
	if kind == "seen" {
		t.saw(member, stored{seq: seq, data: msg.Data})
		return
	}
	before, err := strconv.ParseUint(msg.Header.Get("Nats-Last-Sequence"), 10, 64)
	if err == nil {
		t.hear(stored{seq: seq, data: msg.Data}, before)
	}
}

// apart takes a subject apart, after the prefix.
func (e *Engine) apart(subject string) (kind, topic, member string) {
	rest := subject[min(len(subject), len(e.opts.Prefix)+1):]
	parts := [3]string{}
	for i := range parts {
		n := 0
		for n < len(rest) && rest[n] != '.' {
			n++
		}
		parts[i] = rest[:n]
		if n == len(rest) {
			break
		}
		rest = rest[n+1:]
	}
	return parts[0], parts[1], parts[2]
}

// sweepEvery is how often it is looked which topics nobody uses here any more.
const sweepEvery = time.Minute

// idleFor is how long a topic is known that nobody uses here.
const idleFor = 5 * time.Minute

func (e *Engine) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			e.forgetIdle(now)
		case <-e.ctx.Done():
			return
		}
	}
}

func (e *Engine) forgetIdle(now time.Time) {
	e.mu.Lock()
	var all []*tail
	for name, t := range e.tails {
		if t.users == 0 && t.idleSince(now) >= idleFor {
			t.unsubscribe()
			delete(e.tails, name)
			delete(e.byHot, t.token)
			continue
		}
		all = append(all, t)
	}
	e.mu.Unlock()
	for _, t := range all {
		t.renew(now)
		if t.dropped() {
			e.refresh()
		}
	}
}

// refresh has all topics be looked at again: something may have been missed.
func (e *Engine) refresh() {
	select {
	case e.stale <- struct{}{}:
	default:
	}
}

// refreshTwice is when it is looked again, at the earliest: until NATS knows everywhere
// what is followed here, more may be missed; or because not all topics could be looked at.
const refreshTwice = 2 * time.Second

// refreshShare is how much of the time topics are looked at, at most: one part of so
// many. NATS has other things to do, most of all when it loses messages.
const refreshShare = 5

func (e *Engine) refreshes() {
	for {
		select {
		case <-e.stale:
		case <-e.ctx.Done():
			return
		}
		for looked := 0; looked < 2 && e.ctx.Err() == nil; {
			began := time.Now()
			err := e.refreshAll()
			switch {
			case err == nil:
				looked++
			case e.ctx.Err() == nil:
				e.opts.Logger.Warn("jetstream: whether something was missed is not known yet", "error", err)
			}
			pause(e.ctx, max(refreshTwice, (refreshShare-1)*time.Since(began)))
		}
	}
}

// refreshAtOnce is how many topics are looked at at once.
const refreshAtOnce = 32

// refreshAll ends with the first error: others would only wait as long for the same.
func (e *Engine) refreshAll() error {
	ctx, stop := context.WithCancelCause(e.ctx)
	defer stop(nil)
	slots := make(chan struct{}, refreshAtOnce)
	var all sync.WaitGroup
	for _, t := range e.all() {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			if err := t.refresh(ctx); err != nil {
				stop(fmt.Errorf("topic %s: %w", t.topic, err))
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// ---- bus.Engine

// Publish implements bus.Engine.
func (e *Engine) Publish(ctx context.Context, topic string, p bus.Publication) (bus.Published, error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return bus.Published{}, err
	}
	return t.publish(ctx, &p)
}

// Read implements bus.Engine.
func (e *Engine) Read(ctx context.Context, topic string, q bus.Query) (bus.Replay, error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return bus.Replay{}, err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	r, err := t.read(ctx, q)
	return r, e.failed(err)
}

// Subscribe implements bus.Engine.
func (e *Engine) Subscribe(ctx context.Context, topic string, s bus.Sink) (bus.Position, func(), error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return bus.Position{}, nil, err
	}
	if !t.rule.NoPresence && !t.rule.NoEvents {
		ctx, cancel := e.bounded(ctx)
		defer cancel()
		if err := t.readRoster(ctx, false); err != nil {
			return bus.Position{}, nil, e.failed(err)
		}
	}
	at := t.subscribe(s)
	return at, func() { t.leave(s) }, nil
}

// Rewind implements bus.Rewinder.
func (e *Engine) Rewind(ctx context.Context, topic string, command bus.Origin) (at bus.Position, ok bool, err error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return at, false, err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	at, ok, err = t.rewind(ctx, &command)
	return at, ok, e.failed(err)
}

// Join implements bus.Engine.
func (e *Engine) Join(ctx context.Context, topic string, m bus.Member) error {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	return e.failed(t.join(ctx, m))
}

// Leave implements bus.Engine.
func (e *Engine) Leave(ctx context.Context, topic string, id string) error {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	return e.failed(t.part(ctx, id))
}

// Members implements bus.Engine.
func (e *Engine) Members(ctx context.Context, topic string, limit int) ([]bus.Member, int, error) {
	t, err := e.tail(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	members, count, err := t.members(ctx, limit)
	return members, count, e.failed(err)
}
