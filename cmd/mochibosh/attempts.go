package main

import (
	"context"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"
)

// attempts counts the sign-ins of each client address that failed: with a token
// that is none, or a wrong key of the API. It is an auth.Attempts.
type attempts struct {
	perMinute int // zero: nobody counts
	remember  int // addresses
	logger    *slog.Logger
	limited   func(setting string)

	mu      sync.Mutex
	clients map[netip.Prefix]*failures
}

// failures are a bucket that each failure takes from, and that fills by the minute.
type failures struct {
	left float64
	at   time.Time // when left was right
}

func newAttempts(perMinute int, logger *slog.Logger) *attempts {
	return &attempts{perMinute: perMinute, remember: maxAddresses, logger: logger, limited: func(string) {}, clients: make(map[netip.Prefix]*failures)}
}

// Wait implements auth.Attempts.
func (a *attempts) Wait(ctx context.Context) time.Duration {
	who, known := network(ctx)
	if !known || a.perMinute <= 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.clients[who]
	if f == nil {
		return 0
	}
	a.refill(f, time.Now())
	if f.left >= 1 {
		return 0
	}
	a.limited("signin-failure-rate")
	return max(time.Second, time.Duration((1-f.left)/float64(a.perMinute)*float64(time.Minute)))
}

// Failed implements auth.Attempts.
func (a *attempts) Failed(ctx context.Context) {
	who, known := network(ctx)
	if !known || a.perMinute <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	f := a.clients[who]
	if f == nil {
		a.forget(now)
		f = &failures{left: float64(a.perMinute), at: now}
		a.clients[who] = f
	}
	a.refill(f, now)
	if f.left--; f.left < 1 && f.left >= 0 {
		a.logger.WarnContext(ctx, "sign-ins are refused: too many failed", "network", who.String())
	}
	f.left = max(0, f.left)
}

func (a *attempts) refill(f *failures, now time.Time) {
	f.left = math.Min(float64(a.perMinute), f.left+float64(a.perMinute)*now.Sub(f.at).Minutes())
	f.at = now
}

// forget makes room for one more: first those go that have not failed for a minute,
// and if there are none, all.
func (a *attempts) forget(now time.Time) {
	if len(a.clients) < a.remember {
		return
	}
	for who, f := range a.clients {
		if a.refill(f, now); f.left >= float64(a.perMinute) {
			delete(a.clients, who)
		}
	}
	if len(a.clients) >= a.remember {
		clear(a.clients)
	}
}
