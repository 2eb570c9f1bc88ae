package main

import (
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
	kind     string // bosh, push, js or xmpp: who the clients are
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
	if s.kind == "xmpp" {
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
	server, err := startServer(behind, domain, s.outbox, s.logger)
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
	o.errors = runClients(ctx, s, b, domain, "http://"+proxy.Addr(), &o.moves)
	o.took = time.Since(began)
	close(over)
	cutter.Wait()

	for _, p := range b.peers { // what was acknowledged is being taken still
		if s.kind == "xmpp" {
			break
		}
		select {
		case <-p.up.complete:
		case <-time.After(5 * time.Second):
		}
	}
	time.Sleep(replayAfter(&s.network)) // old copies arrive
	for _, p := range b.peers {
		if s.kind == "xmpp" { // one line, there and back
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

func runClients(ctx context.Context, s setup, b *backend, domain, url string, moves *int) (errs []error) {
	if s.kind == "js" {
		return runNode(ctx, s, b, url)
	}
	var mu sync.Mutex
	var all, login sync.WaitGroup
	ready := make(chan struct{})
	if s.kind == "xmpp" {
		login.Add(s.clients)
		go func() { login.Wait(); close(ready) }()
	}
	for i, p := range b.peers {
		all.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true}
			defer transport.CloseIdleConnections()
			web := &http.Client{Transport: transport}
			rng := rand.New(rand.NewPCG(s.seed, uint64(i)<<1|1))
			var err error
			moved := 0
			switch s.kind {
			case "bosh", "xmpp":
				c := &boshClient{
					url: url, http: web, rng: rng, change: newChange(), acks: i%2 == 0,
					horizon: replayAfter(&s.network) + 5*s.network.MaxDelay + time.Second/2,
				}
				c.traffic = &numbered{peer: p}
				if s.kind == "xmpp" {
					c.to = ` to='` + domain + `' xmpp:version='1.0'`
					next := b.peers[(i+1)%s.clients]
					c.traffic = &xmppTraffic{client: c, domain: domain, peer: p, next: next, ready: sync.OnceFunc(login.Done), start: ready}
				}
				err = c.run(ctx)
			default:
				c := &pushClient{peer: p, url: url, http: web, rng: rng, change: newChange(), carriers: s.carriers, stay: s.stay}
				err = c.run(ctx)
				c.Lock()
				moved = c.moves
				c.Unlock()
			}
			mu.Lock()
			defer mu.Unlock()
			*moves += moved
			if err != nil {
				errs = append(errs, fmt.Errorf("client %d: %w", i, err))
			}
		})
	}
	all.Wait()
	return errs
}

// faultless reports whether nothing was lost, doubled or out of order.
func (o *outcome) faultless() bool {
	return len(o.errors) == 0 && o.up.faultless() && o.down.faultless()
}
