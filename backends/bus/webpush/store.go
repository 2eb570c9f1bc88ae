package webpush

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A Store keeps subscriptions by their users. It may do so for several processes. All
// methods may be called from many goroutines at once.
type Store interface {
	// Put keeps a user's subscription. One with the same endpoint is replaced,
	// whoever's it was: a browser has one user at a time.
	Put(ctx context.Context, user string, s Subscription) error
	// Delete forgets a user's subscription. It is no error if there is none.
	Delete(ctx context.Context, user, endpoint string) error
	// Of returns those of a user.
	Of(ctx context.Context, user string) ([]Subscription, error)
	// Users returns those who want to have notifications of a topic.
	Users(ctx context.Context, topic string) ([]string, error)
}

// Defaults, where [Limits] leave a field zero.
const (
	DefaultMaxSubscriptions        = 100_000
	DefaultMaxSubscriptionsPerUser = 10
)

// Limits bound a store.
type Limits struct {
	// MaxSubscriptions bounds those of all. More are refused.
	MaxSubscriptions int
	// MaxPerUser bounds those of one user. With more, the oldest is forgotten: it is
	// that of a browser which nobody has used for longest.
	MaxPerUser int
}

// Memory is a store that ends with the process.
type Memory struct {
	limits Limits
	mu     sync.Mutex
	users  map[string][]Subscription // the oldest first
	owners map[string]string         // by endpoint
	topics map[string]map[string]int // how many subscriptions of a user want it
}

// NewMemory returns a store in memory.
func NewMemory(l Limits) *Memory {
	l.MaxSubscriptions = cmp.Or(l.MaxSubscriptions, DefaultMaxSubscriptions)
	l.MaxPerUser = cmp.Or(l.MaxPerUser, DefaultMaxSubscriptionsPerUser)
	return &Memory{limits: l, users: make(map[string][]Subscription), owners: make(map[string]string), topics: make(map[string]map[string]int)}
}

// Put implements [Store]. Errors: a *bus.Error with Busy, if there are too many.
func (m *Memory) Put(_ context.Context, user string, s Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(user, s)
}

// Fits returns the error that Put would, or which of the user's browsers are forgotten
// for a new one, by their endpoints.
func (m *Memory) Fits(user, endpoint string) (forgets []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fits(user, endpoint)
}

func (m *Memory) fits(user, endpoint string) (forgets []string, err error) {
	_, known := m.owners[endpoint]
	own := slices.DeleteFunc(slices.Clone(m.users[user]), func(s Subscription) bool { return s.Endpoint == endpoint })
	for i := range len(own) - m.limits.MaxPerUser + 1 {
		forgets = append(forgets, own[i].Endpoint)
	}
	if len(m.owners) >= m.limits.MaxSubscriptions && !known && len(forgets) == 0 {
		return nil, &bus.Error{Code: bus.Busy, Text: fmt.Sprintf("there are %d push subscriptions already", len(m.owners))}
	}
	return forgets, nil
}

func (m *Memory) put(user string, s Subscription) error {
	forgets, err := m.fits(user, s.Endpoint)
	if err != nil {
		return err
	}
	if owner, known := m.owners[s.Endpoint]; known {
		m.remove(owner, s.Endpoint)
	}
	for _, endpoint := range forgets {
		m.remove(user, endpoint)
	}
	m.users[user] = append(m.users[user], s)
	m.owners[s.Endpoint] = user
	for _, t := range s.Topics {
		if m.topics[t] == nil {
			m.topics[t] = make(map[string]int)
		}
		m.topics[t][user]++
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, user, endpoint string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(user, endpoint)
	return nil
}

func (m *Memory) remove(user, endpoint string) (removed bool) {
	all := m.users[user]
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.Endpoint == endpoint })
	if i < 0 {
		return false
	}
	for _, t := range all[i].Topics {
		if m.topics[t][user]--; m.topics[t][user] == 0 {
			delete(m.topics[t], user)
		}
		if len(m.topics[t]) == 0 {
			delete(m.topics, t)
		}
	}
	delete(m.owners, endpoint)
	if m.users[user] = slices.Delete(all, i, i+1); len(m.users[user]) == 0 {
		delete(m.users, user)
	}
	return true
}

// Of implements [Store].
func (m *Memory) Of(_ context.Context, user string) ([]Subscription, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.users[user]), nil
}

// Users implements [Store].
func (m *Memory) Users(_ context.Context, topic string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.topics[topic])), nil
}
