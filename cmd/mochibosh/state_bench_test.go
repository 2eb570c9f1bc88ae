package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/disk"
	"github.com/mochibosh/mochibosh/transport"
)

// BenchmarkDurability tells what an exchange costs: a client publishes to itself,
// has it acknowledged, and gets the answer and the message.
func BenchmarkDurability(b *testing.B) {
	for _, d := range []disk.Durability{disk.None, disk.Interval, disk.Exchange} {
		for _, sessions := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/%d", d, sessions), func(b *testing.B) { exchanges(b, d, sessions) })
		}
	}
}

func exchanges(b *testing.B, d disk.Durability, sessions int) {
	s := &settings{StateDir: b.TempDir(), Durability: d, DurabilityInterval: time.Second, StateCompactFrom: 64 << 20, Push: "on"}
	opts := &bus.Options{}
	st, err := openState(s, opts, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	opts.Engine = st.memory
	m := transport.NewManager(&transport.Options{Backend: bus.New(opts), Store: st.store()})
	if err := st.takeOver(b.Context(), m); err != nil {
		b.Fatal(err)
	}
	defer st.finish()
	defer m.Shutdown(context.Background())
	var clients []func(n int)
	for i := range sessions {
		clients = append(clients, talker(b, m, fmt.Sprint("t/", i)))
	}
	work := make(chan int)
	done := make(chan struct{})
	b.ResetTimer()
	for _, talk := range clients {
		go func() {
			for range work {
				talk(2)
			}
			done <- struct{}{}
		}()
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	for range clients {
		<-done
	}
	b.StopTimer()
}

// talker returns what publishes once, and reads n frames.
func talker(b *testing.B, m *transport.Manager, topic string) func(n int) {
	ctx := context.Background()
	s, err := m.Create(ctx, transport.Params{Wait: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Open(ctx, "", ""); err != nil {
		b.Fatal(err)
	}
	say := func(command string) {
		if _, err := s.Push(ctx, 0, []transport.Frame{{Data: []byte(command)}}); err != nil {
			b.Error(err)
		}
		if err := s.Stored(ctx); err != nil {
			b.Error(err)
		}
	}
	after := uint64(0)
	read := func(n int) {
		for last := after + uint64(n); after < last; {
			r, err := s.Pull(ctx, transport.Pull{After: after, Wait: time.Minute})
			if err != nil || r.End != nil {
				b.Error(err, r.End)
				return
			}
			after = r.Last()
		}
	}
	say(`{"op":"subscribe","topic":"` + topic + `"}`)
	read(1)
	return func(n int) {
		say(`{"op":"publish","topic":"` + topic + `","data":{"text":"as long as what people say to each other, mostly"}}`)
		read(n)
	}
}
