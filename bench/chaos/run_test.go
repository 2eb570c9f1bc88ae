package main

import (
	"log/slog"
	"sync"
	"testing"
	"time"
)

// A short run of every kind, side by side; those with an XMPP server, which is
// most work where it starts, one after the other. docs/reliability.md has long
// ones.
func TestNothingIsLostDoubledOrOutOfOrder(t *testing.T) {
	var all sync.WaitGroup
	var withServer []setup
	for _, s := range setups() {
		s.clients, s.messages, s.seed = 4, 1500, 1
		s.logger = slog.New(slog.DiscardHandler)
		s.network.ReplayAfter = time.Second
		s.stay = min(s.stay, 100*time.Millisecond)
		if s.every > 0 {
			s.cut, s.every = 200*time.Millisecond, time.Second
		}
		s.life = min(s.life, time.Second)
		if s.xmpp != nil {
			withServer = append(withServer, s)
			continue
		}
		// They wait more than they work: t.Parallel would run as many as there are processors.
		all.Go(func() { t.Run(s.name, func(t *testing.T) { short(t, s) }) })
	}
	for _, s := range withServer {
		t.Run(s.name, func(t *testing.T) { short(t, s) })
	}
	all.Wait()
}

// short runs it until the network has done damage: clients that put much into
// few exchanges may be lucky.
func short(t *testing.T, s setup) {
	for ; !damaged(t, s); s.seed++ {
		if s.seed == 10 {
			t.Fatal("too good a network, ten times")
		}
	}
}

func damaged(t *testing.T, s setup) bool {
	o, err := run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range o.errors {
		t.Error(err)
	}
	if want := uint64(s.clients) * s.messages; !o.faultless() || o.up.Sent != want || o.down.Sent != want {
		t.Errorf("up %+v, down %+v", o.up, o.down)
	}
	return o.counts.Damaged() > 0
}

// Each message is there once, whole and in its place, or the tally says so.
func TestTally(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []uint64
		sent uint64
		want figures
	}{
		{"all", []uint64{1, 2, 3}, 3, figures{Sent: 3}},
		{"the last is lost", []uint64{1, 2}, 3, figures{Sent: 3, Lost: 1}},
		{"one in the middle is lost", []uint64{1, 3}, 3, figures{Sent: 3, Lost: 1}},
		{"one is doubled", []uint64{1, 2, 2, 3}, 3, figures{Sent: 3, Doubled: 1}},
		{"the last is doubled", []uint64{1, 2, 3, 3}, 3, figures{Sent: 3, Doubled: 1}},
		{"two are exchanged", []uint64{2, 1, 3}, 3, figures{Sent: 3, Misordered: 1}},
		{"a late one is doubled", []uint64{2, 1, 1, 3}, 3, figures{Sent: 3, Misordered: 1, Doubled: 1}},
		{"none", nil, 3, figures{Sent: 3, Lost: 3}},
	} {
		tally := newTally(3)
		for _, n := range tt.got {
			tally.take(message(n))
		}
		got := tally.result(tt.sent)
		if got.Gap = 0; got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// A message that differs in a byte counts as altered, and as lost.
func TestTallySeesWhatIsAltered(t *testing.T) {
	for n := range uint64(len(texts)) {
		m := message(n + 1)
		for i := range m {
			m[i] ^= 1
			if _, ok := number(m); ok {
				t.Errorf("taken for a message: %q", m)
			}
			m[i] ^= 1
		}
		if got, ok := number(m); !ok || got != n+1 {
			t.Errorf("%q: number %d, %v", m, got, ok)
		}
	}
}
