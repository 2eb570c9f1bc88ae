//go:build linux

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"time"

	"github.com/mochibosh/mochibosh/bench/epoll"
	"github.com/mochibosh/mochibosh/bench/usage"
)

// A bench is one run against one server.
type bench struct {
	target  target
	addr    *net.TCPAddr
	dial    func(*epoll.Loop, *net.TCPAddr, target, *session) (carrier, error)
	loop    *epoll.Loop
	servers []usage.Server

	sessions, first, inFlight int
	rate                      float64
	warmup, duration          time.Duration

	alive []*session
	gone  int
}

// Logins are under way at once; how long all of them may take; and how long an
// answer may.
const (
	logins     = 32
	loginLimit = 3 * time.Minute
	drainLimit = 5 * time.Second
)

// login brings n sessions about.
func (b *bench) login(n int) {
	pending, started := 0, 0
	deadline := time.Now().Add(loginLimit)
	fresh := make([]*session, 0, n)
	for len(fresh) < n {
		if time.Now().After(deadline) {
			fatal(fmt.Errorf("%d of %d sessions after %v", len(fresh), n, loginLimit))
		}
		for ; pending < logins && started < n; started++ {
			pending++
			s := &session{user: fmt.Sprint("u", b.first+len(b.alive)+started)}
			s.onReady = func() { pending--; fresh = append(fresh, s) }
			s.onEnd = func(err error) {
				b.gone++
				if err != nil {
					fmt.Fprintln(os.Stderr, "load: session ended:", err)
				}
				if s.step < ready {
					fatal(fmt.Errorf("%s could not log in", s.user))
				}
			}
			s.onEcho = func(*session, time.Duration) {}
			var err error
			if s.carrier, err = b.dial(b.loop, b.addr, b.target, s); err != nil {
				fatal(err)
			}
			s.carrier.open()
			s.carrier.flush()
		}
		b.turn(func() bool { return len(fresh) == n || pending < logins && started < n }, time.Second)
	}
	b.alive = append(b.alive, fresh...)
}

// turn serves the connections until the condition holds, or the time is over.
func (b *bench) turn(done func() bool, limit time.Duration) {
	until := time.Now().Add(limit)
	b.loop.Run(until, func(now time.Time) time.Time {
		if done() {
			return time.Time{}
		}
		return until
	})
}

// logout ends all sessions.
func (b *bench) logout() {
	want := b.gone
	for _, s := range b.alive {
		if !s.closed {
			want++
			s.end()
		}
	}
	b.turn(func() bool { return b.gone >= want }, drainLimit)
	if b.gone < want {
		fmt.Fprintf(os.Stderr, "load: %d sessions did not end\n", want-b.gone)
	}
	b.alive = nil
}

// Idle is what sessions cost that do nothing.
type Idle struct {
	Sessions      int
	LoginsPerSec  float64
	LoginCPU      map[string]float64 // seconds per session
	Resident      map[string]float64 // bytes per session
	IdleCPU       map[string]float64 // seconds per session and minute
	Gone          int                // sessions that ended
	LoadBusyLogin float64
}

func (b *bench) idle() *Idle {
	b.login(10)
	b.logout()
	b.turn(func() bool { return false }, b.warmup)
	b.gone = 0
	before := make([]int, len(b.servers))
	for i, s := range b.servers {
		before[i] = must(s.Resident())
	}
	r := &Idle{Sessions: b.sessions, Resident: map[string]float64{}}
	u := must(usage.Start(b.servers))
	b.login(b.sessions)
	r.LoginCPU = per(must(u.CPU()), float64(b.sessions))
	r.LoginsPerSec = float64(b.sessions) / time.Since(u.Began).Seconds()
	r.LoadBusyLogin = must(u.Own())

	b.turn(func() bool { return false }, b.warmup)
	u = must(usage.Start(b.servers))
	b.turn(func() bool { return false }, b.duration)
	r.IdleCPU = per(must(u.CPU()), float64(b.sessions)*b.duration.Minutes())
	for i, s := range b.servers {
		r.Resident[s.Name] = float64(must(s.Resident())-before[i]) / float64(b.sessions)
	}
	r.Gone = b.gone
	b.logout()
	return r
}

func per(used map[string]float64, n float64) map[string]float64 {
	for name := range used {
		used[name] /= n
	}
	return used
}

// Trips are messages that came back to who sent them, in a closed loop, where
// a session sends the next one when one is back, and in an open one.
type Trips struct {
	Closed, Open Loop
	Gone         int // sessions that ended
}

// A Loop is what one of them took.
type Loop struct {
	PerSec        float64
	CPU           map[string]float64 // seconds per message
	P50, P99      float64            // seconds
	Requests      float64            // of HTTP, per message
	Lost, Doubled int
	LoadBusy      float64 // share of one processor
}

func (b *bench) trips() *Trips {
	b.login(b.sessions)
	b.gone = 0
	r := &Trips{}
	r.Closed = b.measureLoop(func() func(time.Time) time.Time {
		for _, s := range b.alive {
			for range b.inFlight {
				s.say(time.Now())
			}
			s.carrier.flush()
		}
		return nil
	}, true)
	r.Open = b.measureLoop(func() func(time.Time) time.Time {
		at, n := time.Now(), 0
		order := rand.Perm(len(b.alive))
		return func(now time.Time) time.Time {
			for !at.After(now) {
				s := b.alive[order[n%len(order)]]
				n++
				if !s.closed {
					s.say(at)
					s.carrier.flush()
				}
				at = at.Add(time.Duration(rand.ExpFloat64() / b.rate * float64(time.Second)))
			}
			return at
		}
	}, false)
	r.Gone = b.gone
	b.logout()
	return r
}

// measureLoop warms up, measures, and waits for what is under way.
func (b *bench) measureLoop(start func() func(time.Time) time.Time, again bool) (r Loop) {
	var latencies []time.Duration
	back, going := 0, again
	for _, s := range b.alive {
		s.onEcho = func(s *session, d time.Duration) {
			back++
			latencies = append(latencies, d)
			if going {
				s.say(time.Now())
			}
		}
	}
	next := start()
	b.loop.Run(time.Now().Add(b.warmup), next)
	latencies = slices.Grow(latencies[:0], 1<<20)
	back, *b.target.requests = 0, 0
	u := must(usage.Start(b.servers))
	b.loop.Run(time.Now().Add(b.duration), next)
	n := math.Max(1, float64(back))
	r.CPU = per(must(u.CPU()), n)
	r.LoadBusy = must(u.Own())
	r.PerSec = float64(back) / time.Since(u.Began).Seconds()
	r.Requests = float64(*b.target.requests) / n
	if slices.Sort(latencies); len(latencies) > 0 {
		r.P50 = latencies[len(latencies)/2].Seconds()
		r.P99 = latencies[len(latencies)*99/100].Seconds()
	}

	going = false
	b.turn(func() bool {
		return !slices.ContainsFunc(b.alive, func(s *session) bool { return s.received < s.sent && !s.closed })
	}, drainLimit)
	for _, s := range b.alive {
		s.settle()
		r.Lost += s.lost
		r.Doubled += s.doubled
		s.lost, s.doubled = 0, 0
	}
	return r
}
