package transport

import "slices"

// effects is what is to be done once the session's lock is free, in order.
// None of it points into effects itself, so that it stays on the stack: to
// publish a frame allocates nothing.
type effects struct {
	accepted []Frame // for the backends
	repeated bool    // the request is a copy
	must     bool    // the session is to be stored, whatever the answers say
	patient  bool    // a carrier brought them, and can hand them over itself
	hand     *Stream // whose queue it is to drain; nil: none
	owned    bool    // accepted is ours to append to
	openings []opening
	few      [2]reply
	n        int     // how many of few there are
	many     []reply // all, if they are more
	receipts []receipt
}

// opening is a stream to be opened before the accepted frame of this index.
type opening struct {
	before int
	*Opening
}

type reply struct {
	to       func(Response)
	response Response
}

func (fx *effects) reply(to func(Response), r Response) {
	switch {
	case to == nil:
	case fx.many != nil:
		fx.many = append(fx.many, reply{to, r})
	case fx.n < len(fx.few):
		fx.few[fx.n] = reply{to, r}
		fx.n++
	default:
		fx.many = make([]reply, 0, 4*len(fx.few))
		fx.many = append(append(fx.many, fx.few[0], fx.few[1]), reply{to, r})
	}
}

// outgoing is what carriers and backends are told.
type outgoing struct {
	replies  []reply
	receipts []receipt
}

func (o *outgoing) empty() bool { return len(o.replies)+len(o.receipts) == 0 }

func (o *outgoing) add(more outgoing) {
	o.replies = append(o.replies, more.replies...)
	o.receipts = append(o.receipts, more.receipts...)
}

func (fx *effects) outgoing() outgoing { return outgoing{fx.replies(), fx.receipts} }

// replies returns them in order.
func (fx *effects) replies() []reply {
	if fx.many != nil {
		return fx.many
	}
	return fx.few[:fx.n]
}

func (fx *effects) accept(frames []Frame) {
	switch {
	case len(frames) == 0:
	case fx.accepted == nil:
		fx.accepted = frames // the common case: nothing to copy
	case fx.owned:
		fx.accepted = append(fx.accepted, frames...)
	default:
		fx.accepted = slices.Concat(fx.accepted, frames)
		fx.owned = true
	}
}

func (fx *effects) open(o *Opening) {
	if o != nil {
		fx.openings = append(fx.openings, opening{len(fx.accepted), o})
	}
}
