package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/internal/chaos"
	"github.com/mochibosh/mochibosh/internal/xmpptest"
	"github.com/mochibosh/mochibosh/transport"
)

// A setup is what is run: how many clients of which kind, how many messages
// each way for each of them, and on what network.
type setup struct {
	name     string
	kind     string        // bosh, push, js or strophe: who the clients are
	bus      bool          // behind the server is the event bus
	life     time.Duration // so long at most do users of the bus keep a session of push.v1
	xmpp     func(*xmpptest.Options) (*xmpptest.Server, error)
	carriers []string      // of which a client of push.v1 moves among
	stay     time.Duration // on one of them, at most
	clients  int
	messages uint64
	seed     uint64
	network  chaos.Options
	outbox   int           // bytes that may wait for a client
	cut      time.Duration // all clients are cut so long, every so often
	every    time.Duration
	wait     time.Duration // how long requests are held; zero: a second
	anyOrder bool          // the client takes answers as they come, and not in their order
	logger   *slog.Logger
}

// An outcome is what came of it.
type outcome struct {
	setup
	up, down figures
	counts   chaos.Counts
	full     uint64 // how often a client was behind by all that may wait for it
	empty    uint64 // answers without a message: the hold was over
	repeated uint64 // answers of BOSH that were asked for again
	moves    int
	sessions int // of users of the bus
	cuts     int
	took     time.Duration
	errors   []error // why sessions were lost
}

// run runs a setup. An error means that it could not be run.
func run(ctx context.Context, s setup) (*outcome, error) {
	b := &backend{seed: s.seed}
	for i := range s.clients {
		b.peers = append(b.peers, &peer{number: i, up: newTally(s.messages), down: newTally(s.messages)})
	}
	var behind transport.Backend = b
	domain := ""
	switch {
	case s.bus:
		behind = newBus()
	case s.xmpp != nil:
		x, err := s.xmpp(&xmpptest.Options{Users: users(s.clients)})
		if err != nil {
			return nil, err
		}
		defer x.Remove()
		domain = x.Domain
		routes := map[string]xmpp.Route{domain: {Addr: x.Addr, TLS: xmpp.NoTLS}}
		if behind, err = xmpp.NewRelay(&xmpp.Options{Routes: routes, Logger: s.logger}); err != nil {
			return nil, err
		}
	}
	server, err := startServer(behind, domain, s.outbox, cmp.Or(s.wait, time.Second), s.logger)
	if err != nil {
		return nil, err
	}
	defer server.close()
	s.network.Seed = s.seed
	proxy, err := chaos.Listen(server.addr, &s.network)
	if err != nil {
		return nil, err
	}
	defer proxy.Close()

	o := &outcome{setup: s}
	began := time.Now()
	over := make(chan struct{})
	var cutter sync.WaitGroup
	if s.every > 0 {
		cutter.Go(func() { o.cuts = cutAll(proxy, s.cut, s.every, over) })
	}
	o.errors = o.runClients(ctx, b, domain, "http://"+proxy.Addr())
	o.took = time.Since(began)
	close(over)
	cutter.Wait()

	for _, p := range b.peers { // what was acknowledged is being taken still
		if s.ring() {
			break
		}
		select {
		case <-p.up.complete:
		case <-time.After(5 * time.Second):
		}
	}
	time.Sleep(replayAfter(&s.network)) // old copies arrive
	for _, p := range b.peers {
		if s.ring() { // one line, there and back
			o.up.Sent += p.upSent.Load()
			before := b.peers[(p.number+s.clients-1)%s.clients]
			o.down.add(p.down.result(before.upSent.Load()))
			continue
		}
		o.up.add(p.up.result(p.upSent.Load()))
		o.down.add(p.down.result(p.downSent.Load()))
	}
	o.counts = proxy.Counts()
	o.full, o.empty, o.repeated = b.full.Load(), server.empty.Load(), server.repeated.Load()
	return o, nil
}

// ring reports whether the clients send to each other: each to the next.
func (s *setup) ring() bool { return s.bus || s.xmpp != nil }

func replayAfter(o *chaos.Options) time.Duration {
	if o.ReplayAfter == 0 {
		return 3 * time.Second
	}
	return o.ReplayAfter
}

// cutAll cuts all connections now and then, until it is over.
func cutAll(proxy *chaos.Proxy, d, every time.Duration, over chan struct{}) (cuts int) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			proxy.Cut(d)
			cuts++
		case <-over:
			return cuts
		}
	}
}

func (o *outcome) runClients(ctx context.Context, b *backend, domain, url string) (errs []error) {
	s := &o.setup
	if s.kind == "js" || s.kind == "strophe" {
		return runNode(ctx, *s, b, domain, url)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var all, login sync.WaitGroup
	ready := make(chan struct{})
	if s.xmpp != nil {
		login.Add(s.clients)
		go func() { login.Wait(); close(ready) }()
	}
	for i, p := range b.peers {
		all.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true}
			defer transport.CloseIdleConnections()
			u := &user{
				setup: s, peer: p, next: b.peers[(i+1)%s.clients], from: (i + s.clients - 1) % s.clients,
				url: url, http: &http.Client{Transport: transport}, rng: rand.New(rand.NewPCG(s.seed, uint64(i)<<1|1)),
				domain: domain, arrived: sync.OnceFunc(login.Done), start: ready,
			}
			var err error
			if s.kind == "bosh" {
				err = u.runBOSH(ctx, i%2 == 0)
			} else {
				err = u.runPush(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			o.moves, o.sessions = o.moves+u.moves, o.sessions+u.sessions
			if err != nil {
				errs = append(errs, fmt.Errorf("client %d: %w", i, err))
				if s.ring() {
					cancel() // the others would wait for it
				}
			}
		})
	}
	all.Wait()
	return errs
}

// faultless reports whether nothing was lost, doubled or out of order by the
// server's fault.
func (o *outcome) faultless() bool {
	down := o.down
	if o.anyOrder {
		down.Misordered = 0
	}
	return len(o.errors) == 0 && o.up.faultless() && down.faultless()
}
