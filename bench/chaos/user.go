package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// A user is whom a client is of, from the first session to the last.
type user struct {
	*setup
	peer, next *peer // whom it sends to, where users send to each other
	from       int   // the number of the one before
	url        string
	http       *http.Client
	rng        *rand.Rand
	domain     string        // of the XMPP server, if there is one
	arrived    func()        // called when it can be reached there
	start      chan struct{} // closed when all can

	moves, sessions int
}

func (u *user) runBOSH(ctx context.Context, acks bool) error {
	c := &boshClient{
		url: u.url, http: u.http, rng: u.rng, change: newChange(), acks: acks,
		horizon: replayAfter(&u.network) + 5*u.network.MaxDelay + time.Second/2,
	}
	u.sessions = 1
	switch {
	case u.xmpp != nil:
		c.to = ` to='` + u.domain + `' xmpp:version='1.0'`
		c.traffic = &xmppTraffic{client: c, domain: u.domain, peer: u.peer, next: u.next, ready: u.arrived, start: u.start}
	case u.bus:
		b := &busUser{peer: u.peer, next: u.next, from: u.from}
		c.traffic = &busBOSH{busTraffic: b.begin()}
		return errors.Join(c.run(ctx), b.failure())
	default:
		c.traffic = &numbered{peer: u.peer}
	}
	return c.run(ctx)
}

// runPush keeps a session of push.v1 to the end. On the bus it is one after the
// other: the user leaves without a word, and comes back.
func (u *user) runPush(ctx context.Context) error {
	b := &busUser{peer: u.peer, next: u.next, from: u.from}
	for {
		c := &pushClient{
			traffic: pushNumbered{u.peer}, url: u.url, http: u.http, rng: rand.New(rand.NewPCG(u.rng.Uint64(), 0)),
			change: newChange(), carriers: u.carriers, stay: u.stay,
		}
		life, stop := context.WithCancel(ctx)
		if u.bus {
			c.traffic = b.begin()
			life, stop = context.WithTimeout(ctx, u.life/2+time.Duration(u.rng.Int64N(int64(u.life/2))))
		}
		err := c.run(life)
		stop()
		c.Lock()
		u.moves, u.sessions = u.moves+c.moves, u.sessions+1
		lost := c.err
		c.Unlock()
		// Who was too slow for a topic has lost the session, and nothing else
		// (docs/bus.md, slow subscribers).
		var end *errOver
		slow := u.bus && errors.As(lost, &end) && end.code == "overflow"
		over := slow || lost == nil && errors.Is(err, context.DeadlineExceeded)
		if !over || ctx.Err() != nil || b.failure() != nil {
			return errors.Join(err, b.failure())
		}
	}
}
