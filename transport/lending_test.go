package transport

import (
	"testing"
	"time"
)

// puller pulls from a machine and keeps what it was lent.
type puller struct {
	m     *machine
	loans []loan
}

func (p *puller) pull(t *testing.T, ask Pull) {
	t.Helper()
	var fx effects
	if _, err := p.m.pull(time.Time{}, ask, func(r Response) { p.loans = append(p.loans, lend(r.Frames)) }, &fx); err != nil {
		t.Fatal(err)
	}
	carryOut(&fx)
}

func (p *puller) wantIntact(t *testing.T, rule string) {
	t.Helper()
	for _, l := range p.loans {
		if !l.intact() {
			t.Errorf("%s: have %q, was lent %q", rule, texts(l.lent), texts(l.want))
		}
	}
}

func carryOut(fx *effects) {
	for _, r := range fx.replies() {
		r.to(r.response)
	}
}

// fill has everything acknowledged, and sends anew.
func (p *puller) fill(data ...string) {
	var fx effects
	p.m.ack(time.Time{}, p.m.out.last())
	for _, f := range frames(data...) {
		p.m.send(time.Time{}, f, &fx)
	}
	carryOut(&fx)
}

func TestFramesAreNotOverwrittenWhileACarrierReadsThem(t *testing.T) {
	setup := func() (stream, other *puller) {
		m := newMachine(Params{Wait: time.Minute, Inactivity: time.Minute, MaxInbox: 1000, MaxOutbox: 1000}, time.Time{})
		return &puller{m: &m}, &puller{m: &m}
	}
	t.Run("a poll never says that it is done", func(t *testing.T) {
		poll, _ := setup()
		for n := uint64(1); n < 10; n++ {
			poll.fill("a", "b")
			poll.pull(t, Pull{Attach: n, After: poll.m.out.base})
			poll.wantIntact(t, "poll after poll")
		}
	})
	t.Run("a stream reads what it got last", func(t *testing.T) {
		stream, _ := setup()
		for n := range 10 {
			stream.fill("a", "b")
			stream.loans = nil
			stream.pull(t, Pull{After: stream.m.out.base, Again: true})
			if stream.fill("c"); n > 0 {
				stream.wantIntact(t, "acknowledged by another request")
			}
		}
	})
	t.Run("a stream still writes what another connection took over", func(t *testing.T) {
		stream, poll := setup()
		stream.fill("a", "b")
		stream.pull(t, Pull{Attach: 1})
		poll.pull(t, Pull{Attach: 2})
		stream.pull(t, Pull{Attach: 1, After: 2, Again: true}) // is told Replaced
		stream.loans = stream.loans[:1]
		poll.pull(t, Pull{Attach: 2, After: 2, Again: true})
		poll.fill("c", "d")
		stream.wantIntact(t, "the old connection")
	})
	t.Run("two connections share a number, and only one is done", func(t *testing.T) {
		stream, poll := setup()
		stream.pull(t, Pull{Attach: 1})
		stream.fill("a", "b")
		stream.pull(t, Pull{Attach: 1, Again: true})
		poll.pull(t, Pull{Attach: 1})
		stream.pull(t, Pull{Attach: 1, After: 2, Again: true})
		poll.fill("c", "d")
		poll.wantIntact(t, "the other connection")
	})
}
