package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A peer is a client of the run, as both ends know it.
type peer struct {
	number   int
	up, down *tally
	upSent   atomic.Uint64 // messages that the client numbered
	downSent atomic.Uint64
	greeted  atomic.Bool
}

// backend is the other end of all clients: it counts what they send, and sends
// to each as many messages, in bursts, with pauses in which requests are held
// and with bursts that are larger than what may wait for a client.
type backend struct {
	seed  uint64
	peers []*peer
	// full counts how often a client was so far behind that sending waited.
	full atomic.Uint64
	// sessions is how many greeted; more than there are clients means that a
	// session was lost.
	sessions atomic.Uint64
}

// Open implements transport.Backend.
func (b *backend) Open(ctx context.Context, st *transport.Stream) (transport.Receiver, error) {
	return &receiver{backend: b, ctx: ctx, stream: st}, nil
}

// receiver takes what one session's client sends.
type receiver struct {
	backend *backend
	ctx     context.Context
	stream  *transport.Stream
	peer    *peer // nil until the greeting
	taken   int
}

func (r *receiver) Receive(p []byte) error {
	if r.peer == nil {
		return r.greeted(p)
	}
	r.peer.up.take(p)
	if r.taken++; r.taken%3000 == 0 {
		time.Sleep(20 * time.Millisecond) // a backend is behind now and then
	}
	return nil
}

func (r *receiver) greeted(p []byte) error {
	var g greeting
	if err := json.Unmarshal(p, &g); err != nil || g.Client == nil || *g.Client >= len(r.backend.peers) {
		return fmt.Errorf("not a greeting: %q", p)
	}
	r.backend.sessions.Add(1)
	r.peer = r.backend.peers[*g.Client]
	if r.peer.greeted.Swap(true) {
		return errors.New("greeted twice: the session before was lost")
	}
	go r.backend.send(r.ctx, r.stream, r.peer)
	return nil
}

func (r *receiver) Close(error) {}

// send sends all messages for a client.
func (b *backend) send(ctx context.Context, st *transport.Stream, p *peer) {
	rng := rand.New(rand.NewPCG(b.seed, uint64(p.number)))
	for n := uint64(1); n <= p.down.want; {
		var burst [][]byte
		size := 1 + rng.IntN(40)
		if rng.IntN(200) == 0 {
			size = 1500
		}
		for ; size > 0 && n <= p.down.want; size-- {
			burst = append(burst, message(n))
			n++
		}
		p.downSent.Add(uint64(len(burst)))
		err := st.TrySend(burst...)
		if errors.Is(err, transport.ErrFull) {
			b.full.Add(1)
			err = st.Send(ctx, burst...)
		}
		if err != nil {
			return // the session is over: its client says so
		}
		switch rng.IntN(100) {
		case 0:
			time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
		default:
			time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Millisecond))))
		}
	}
}
