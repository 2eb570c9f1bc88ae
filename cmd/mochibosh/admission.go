package main

import (
	"context"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/transport"
)

// maxAddresses bounds how many addresses without sessions are remembered for
// their rate. Above it, all of them are forgotten.
const maxAddresses = 100_000

// An admission counts the sessions of each client address and of each user, and
// how fast they come. Limits of zero are none.
type admission struct {
	perAddress int
	perUser    int
	perMinute  int
	remember   int // addresses without sessions
	limited    func(setting string)

	mu      sync.Mutex
	clients map[netip.Prefix]*client
	asleep  int            // clients without sessions
	users   map[string]int // their sessions
}

// A client is an address, with a bucket of tokens that fills by the minute.
type client struct {
	sessions int
	tokens   float64
	at       time.Time // when tokens was right
}

func newAdmission(perAddress, perUser, perMinute int) *admission {
	return &admission{
		perAddress: perAddress,
		perUser:    perUser,
		perMinute:  perMinute,
		remember:   maxAddresses,
		limited:    func(string) {},
		clients:    make(map[netip.Prefix]*client),
		users:      make(map[string]int),
	}
}

// admit is a transport.Options.Admit.
func (a *admission) admit(ctx context.Context) (release func(), err error) {
	who, known := network(ctx)
	known = known && (a.perAddress > 0 || a.perMinute > 0)
	user := transport.UserOf(ctx)
	if a.perUser <= 0 {
		user = ""
	}
	if !known && user == "" {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if user != "" && a.users[user] >= a.perUser {
		a.limited("max-sessions-per-user")
		return nil, transport.ErrClientLimit
	}
	if known {
		c := a.get(who)
		c.refill(a.perMinute)
		if limit := a.full(c); limit != "" {
			a.limited(limit)
			return nil, transport.ErrClientLimit
		}
		if c.sessions == 0 {
			a.asleep--
		}
		c.sessions++
		c.tokens--
	}
	if user != "" {
		a.users[user]++
	}
	return func() { a.release(who, known, user) }, nil
}

// refuses reports whether admit would refuse, and counts nothing: a WebSocket
// is refused before it is one.
func (a *admission) refuses(ctx context.Context) bool {
	who, ok := network(ctx)
	if !ok {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[who]
	if c == nil {
		return false
	}
	c.refill(a.perMinute)
	limit := a.full(c)
	if limit != "" {
		a.limited(limit)
	}
	return limit != ""
}

// full returns the setting by which a client may have no more sessions; empty: it
// may.
func (a *admission) full(c *client) string {
	switch {
	case a.perAddress > 0 && c.sessions >= a.perAddress:
		return "max-sessions-per-ip"
	case a.perMinute > 0 && c.tokens < 1:
		return "session-rate"
	}
	return ""
}

func (a *admission) get(who netip.Prefix) *client {
	c := a.clients[who]
	if c != nil {
		return c
	}
	if a.asleep >= a.remember {
		for key, c := range a.clients {
			if c.sessions == 0 {
				delete(a.clients, key)
			}
		}
		a.asleep = 0
	}
	c = &client{tokens: float64(a.perMinute), at: time.Now()}
	a.clients[who] = c
	a.asleep++
	return c
}

func (a *admission) release(who netip.Prefix, known bool, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known {
		c := a.clients[who]
		if c.sessions--; c.sessions == 0 {
			a.asleep++
		}
	}
	if user != "" {
		if a.users[user]--; a.users[user] == 0 {
			delete(a.users, user)
		}
	}
}

func (c *client) refill(perMinute int) {
	now := time.Now()
	c.tokens = math.Min(float64(perMinute), c.tokens+float64(perMinute)*now.Sub(c.at).Minutes())
	c.at = now
}

// network returns whose limits count: an address, or a network of IPv6 as one
// household has it.
func network(ctx context.Context) (netip.Prefix, bool) {
	addr, _ := clientaddr.From(ctx)
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	return networkOf(tcp.AddrPort().Addr())
}

func networkOf(a netip.Addr) (netip.Prefix, bool) {
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	return p, err == nil
}
