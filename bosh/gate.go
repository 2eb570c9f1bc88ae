package bosh

import (
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A gate is what a session remembers to judge the next request: it is the only
// state between two requests that is not the session's own. It is asked in the
// order of rids, under the session's lock.
type gate struct {
	polling  time.Duration // shortest time between polls; zero: any
	polls    bool          // a polling session: nothing is held (XEP-0124 §12)
	requests int
	repeats  int
	keys     chain
	last     *note
	streams  streams
}

// gateOf returns the gate of a session of ours.
func gateOf(p transport.Params) *gate { return p.Gate.(*gate) }

// A note is what is judged of a request when it is its turn, and of a copy. One
// is kept with each answer, so it is small where a request has nothing special.
type note struct {
	special   *special      // nil: none of it
	arrived   time.Duration // since began; before it waited for its turn
	restart   bool
	terminate bool
	empty     bool // it asks for an answer, and says nothing
}

// special is what few requests have.
type special struct {
	key, newKey string
	stream      string             // that it speaks of
	added       *transport.Opening // the stream that it adds
}

// began is what the times of requests are counted from.
var began = time.Now()

func newNote(req *request) *note {
	n := &note{
		restart:   req.restart,
		terminate: req.terminate,
		empty:     len(req.frames) == 0 && req.to == "" && !req.restart && !req.terminate && !req.pauseFor.set,
		arrived:   time.Since(began),
	}
	if req.key != "" || req.newKey != "" || req.stream != "" {
		n.special = &special{key: req.key, newKey: req.newKey, stream: req.stream}
	}
	return n
}

// with returns what is special about the request, which may be nothing.
func (n *note) with() special {
	if n.special == nil {
		return special{}
	}
	return *n.special
}

// adds notes that the request adds a stream.
func (n *note) adds(o *transport.Opening) {
	sp := n.with()
	sp.added = o
	n.special = &sp
}

// toAll notes that the request speaks of no stream, whatever it says.
func (n *note) toAll() {
	if n.special != nil {
		n.special.stream = ""
	}
}

// Admit implements transport.Gate.
func (g *gate) Admit(t transport.Turn) *transport.Termination {
	n := t.Note.(*note)
	if t.Copies > 0 {
		return g.admitCopy(n, t)
	}
	if t.Over {
		if !g.keys.fits(n.with().key) {
			return culprit(t, transport.OutOfWindow, "wrong key")
		}
		return nil
	}
	last := g.last
	g.last = n
	switch {
	case last == nil: // the creation
		g.keys.start(n.with().newKey)
	case !g.keys.next(n):
		return culprit(t, transport.OutOfWindow, "wrong key")
	case g.tooSoon(last, n, t):
		return culprit(t, transport.Policy, "polled too often")
	}
	return g.admitStream(n, t)
}

// admitStream judges which stream a request speaks of (XEP-0124 §16.4), and
// which it restarts: to restart all of several would break those that have
// logged in.
func (g *gate) admitStream(n *note, t transport.Turn) *transport.Termination {
	switch sp := n.with(); {
	case sp.stream != "" && !g.streams.has(sp.stream):
		return culprit(t, transport.OutOfWindow, "no such stream")
	case n.restart && sp.stream == "" && t.Streams > 1:
		return culprit(t, transport.Policy, "no telling which stream to restart")
	case sp.added != nil:
		g.streams.add(sp.added.Name, sp.added.Target)
	case sp.stream != "" && n.terminate:
		g.streams.close(sp.stream)
	}
	return nil
}

// admitCopy judges a repeat of a request. It never counts as a poll
// (XEP-0124 §11).
func (g *gate) admitCopy(n *note, t transport.Turn) *transport.Termination {
	switch original, _ := t.Original.(*note); {
	case original == nil || !n.sameKeys(original):
		// Each copy has its own place in the chain: that of the original.
		// Without that, anybody who has seen sid and rid could have the answer.
		return culprit(t, transport.OutOfWindow, "wrong key in a repeat")
	case g.repeats > 0 && t.Copies > g.repeats: // XEP-0124 §14.3
		return culprit(t, transport.Policy, "one request repeated too often")
	}
	return nil
}

func (n *note) sameKeys(o *note) bool {
	a, b := n.with(), o.with()
	return sameKey(a.key, b.key) && sameKey(a.newKey, b.newKey)
}

// tooSoon reports whether a request is one poll too many.
//
// In a polling session it is when the one before was a poll, too, and was
// answered with nothing (XEP-0124 §12). In others, where a poll fetches what is
// held, it is only when all requests that the client may have stay open: those
// that the newest releases are answered, not counted (XEP-0124 §11, which taken
// by the letter forbids what its §4 does).
func (g *gate) tooSoon(last, n *note, t transport.Turn) bool {
	apart := n.arrived - last.arrived
	// What was sent in time may be late by then, or early: a fifth is let off,
	// and all where the network changed the order.
	if g.polling <= 0 || !n.empty || apart < 0 || apart >= g.polling-g.polling/5 {
		return false
	}
	if g.polls {
		return last.empty && t.Idle
	}
	return t.Waiting >= g.requests
}
