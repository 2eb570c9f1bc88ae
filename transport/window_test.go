package transport

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"weak"
)

// frames makes a frame of each string.
func frames(data ...string) []Frame {
	var all []Frame
	for _, d := range data {
		all = append(all, Frame{Data: []byte(d)})
	}
	return all
}

// texts is the inverse of frames.
func texts(frames []Frame) []string {
	var all []string
	for _, f := range frames {
		all = append(all, string(f.Data))
	}
	return all
}

func TestInboxTellsNumbersApart(t *testing.T) {
	tests := []struct {
		name string
		seq  uint64
		want place
	}{
		{"the number expected next is in order", 10, inOrder},
		{"a number before it was seen", 9, repeat},
		{"number zero was seen, too", 0, repeat},
		{"the number after it is too soon", 11, tooSoon},
		{"the last number of the window is too soon", 12, tooSoon},
		{"the number above the window is beyond", 13, beyond},
		{"the largest number is beyond", 1<<64 - 1, beyond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := inbox{next: 10, window: 3}
			if got := b.place(test.seq); got != test.want {
				t.Errorf("place(%d) = %v, want %v", test.seq, got, test.want)
			}
		})
	}
}

func TestInboxParksRequestsAboveAGap(t *testing.T) {
	b := inbox{next: 1, window: 10, max: 1000}
	for _, seq := range []uint64{4, 2, 3, 6} {
		if !b.park(Request{Seq: seq, Frames: frames(fmt.Sprint("request ", seq))}) {
			t.Fatalf("request %d was refused", seq)
		}
	}
	b.park(Request{Seq: 3, Frames: frames("another content")})
	if _, ok := b.unpark(); ok {
		t.Fatal("a request was given out while the one before it is missing")
	}
	b.take(nil)
	var got []string
	for r, ok := b.unpark(); ok; r, ok = b.unpark() {
		got = append(got, texts(r.Frames)...)
		b.take(r.Frames)
	}
	if want := []string{"request 2", "request 3", "request 4"}; !slices.Equal(got, want) {
		t.Errorf("after the gap: %q, want %q: in order, first content, up to the next gap", got, want)
	}
	if want := len("request 6") + frameOverhead; b.parked != want {
		t.Errorf("%d bytes are parked, want %d", b.parked, want)
	}
}

func TestInboxBudgets(t *testing.T) {
	big := frames(string(make([]byte, 100)))
	b := inbox{next: 1, window: 10, max: 300}
	if !b.park(Request{Seq: 2, Frames: frames(string(make([]byte, 1000)))}) {
		t.Error("a single early request is parked whatever its size")
	}
	if b.park(Request{Seq: 3, Frames: big}) {
		t.Error("a second one is refused when the budget is spent")
	}
	b.drop()
	b.park(Request{Seq: 2, Frames: big})
	if b.park(Request{Seq: 3, Frames: big}); b.parked != 2*(100+frameOverhead) && b.parked != 100+frameOverhead {
		t.Errorf("parked %d bytes", b.parked)
	}
	if b.full() {
		t.Error("early requests do not make the inbox full")
	}
	b.take(big)
	if b.take(big); !b.full() {
		t.Error("the inbox is full when backends are behind by the budget")
	}
}

// FuzzInbox offers requests in any order, repeated, with any sizes, and
// compares with a map.
func FuzzInbox(f *testing.F) {
	f.Add([]byte{3, 2, 1, 0}, uint8(4))
	f.Add([]byte{0x83, 0x83, 0x42, 0x11, 0x10, 0x24, 0x03, 0x02}, uint8(8))
	f.Fuzz(func(t *testing.T, ops []byte, window uint8) {
		ops = ops[:min(len(ops), 200)]
		const maximum = 400
		b := inbox{next: 100, window: uint64(window), max: maximum}
		early := map[uint64]Request{} // the model
		next, pending := uint64(100), 0
		parked := func() (n int) {
			for _, r := range early {
				n += sizeOf(r.Frames)
			}
			return n
		}
		accept := func(r Request) {
			if r.Seq != next {
				t.Fatalf("request %d was accepted, %d was expected", r.Seq, next)
			}
			b.take(r.Frames)
			next++
			pending += sizeOf(r.Frames)
		}
		for i, op := range ops {
			// Bits 0–3 give the number, from 4 below the next; bits 4–7 the size.
			r := Request{Seq: next + uint64(op&15) - 4, Frames: frames(string(bytes.Repeat([]byte{byte(i)}, int(op>>4)*8)))}
			switch b.place(r.Seq) {
			case repeat:
				if r.Seq >= next {
					t.Fatalf("%d counts as seen, the next is %d", r.Seq, next)
				}
			case beyond:
				if r.Seq == next || r.Seq < next+uint64(window) {
					t.Fatalf("%d counts as beyond, the window of %d begins at %d", r.Seq, window, next)
				}
			case tooSoon:
				_, known := early[r.Seq]
				room := known || len(early) == 0 || parked()+sizeOf(r.Frames) <= maximum
				if got := b.park(r); got != room {
					t.Fatalf("park(%d) = %v with %d bytes parked", r.Seq, got, parked())
				}
				if room && !known {
					early[r.Seq] = r
				}
			case inOrder:
				accept(r)
				for e, ok := b.unpark(); ok; e, ok = b.unpark() {
					if want := early[e.Seq]; !slices.Equal(texts(e.Frames), texts(want.Frames)) {
						t.Fatalf("request %d is %q, want %q", e.Seq, texts(e.Frames), texts(want.Frames))
					}
					delete(early, e.Seq)
					accept(e)
				}
				if _, left := early[next]; left {
					t.Fatalf("request %d is in order and was left behind", next)
				}
			}
			if b.accepted() != next-1 || b.parked != parked() || len(b.early) != len(early) || b.pending != pending {
				t.Fatalf("the inbox has accepted %d, parked %d in %d, pending %d; want %d, %d in %d, %d",
					b.accepted(), b.parked, len(b.early), b.pending, next-1, parked(), len(early), pending)
			}
			if b.full() != (pending >= maximum) {
				t.Fatalf("full = %v with %d bytes pending", b.full(), pending)
			}
			if b.full() {
				b.pending, pending = 0, 0 // the backends catch up
			}
		}
	})
}

func TestOutboxKeepsFramesUntilTheyAreAcknowledged(t *testing.T) {
	b := outbox{max: 10 * frameOverhead}
	for _, f := range frames("a", "b", "c") {
		b.add(f)
	}
	steps := []struct {
		name string
		ack  uint64
		err  error
		want []string
	}{
		{"nothing acknowledged, nothing released", 0, nil, []string{"a", "b", "c"}},
		{"an acknowledgement releases all up to its number", 2, nil, []string{"c"}},
		{"an older one changes nothing", 1, nil, []string{"c"}},
		{"one above what was sent is refused and changes nothing", 4, ErrAhead, []string{"c"}},
		{"the last one empties the outbox", 3, nil, nil},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if err := b.ack(s.ack); !errors.Is(err, s.err) {
				t.Errorf("ack(%d) = %v, want %v", s.ack, err, s.err)
			}
			if got := texts(b.from(b.base+1, b.last())); !slices.Equal(got, s.want) {
				t.Errorf("kept %q, want %q", got, s.want)
			}
		})
	}
	if b.last() != 3 || b.bytes != 0 {
		t.Errorf("last = %d, bytes = %d; numbers go on, bytes return", b.last(), b.bytes)
	}
}

func TestOutboxBudget(t *testing.T) {
	b := outbox{max: 200}
	steps := []struct {
		name string
		size int
		want bool
	}{
		{"a single frame fits an empty outbox whatever its size", 1000, true},
		{"nothing fits beside it", 0, false},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if got := b.add(Frame{Data: make([]byte, s.size)}); got != s.want {
				t.Errorf("add = %v, want %v", got, s.want)
			}
		})
	}
	if b.ack(1); b.full() || !b.add(Frame{}) {
		t.Error("an acknowledgement makes room")
	}
}

func TestOutboxLetsGoOfWhatItReleased(t *testing.T) {
	b := outbox{max: 1 << 20}
	data := make([]byte, 1000)
	released := weak.Make(&data[0])
	b.add(Frame{Data: data})
	for range 20 {
		b.add(Frame{Data: []byte("later")})
	}
	b.from(1, 21) // as if a carrier had read them once
	data = nil
	if b.ack(20); len(b.frames) != 1 {
		t.Fatal("one frame is kept")
	}
	runtime.GC()
	if released.Value() != nil {
		t.Error("a released frame is still in memory")
	}
	runtime.KeepAlive(&b)
}

// A loan is what from handed out, and what it has to look like for as long as
// a carrier may read it.
type loan struct{ lent, want []Frame }

func lend(frames []Frame) loan { return loan{frames, slices.Clone(frames)} }

func (l loan) intact() bool {
	return slices.EqualFunc(l.lent, l.want, func(a, b Frame) bool {
		return a.Stream == b.Stream && string(a.Data) == string(b.Data) && a.End == b.End
	})
}

// FuzzOutbox adds, reads and acknowledges at random and compares with a
// slice of all frames ever sent. What was handed out must stay as it was,
// unless it was returned.
func FuzzOutbox(f *testing.F) {
	f.Add([]byte{0, 8, 16, 2, 0, 1, 3, 0, 0, 2, 9, 3, 0, 2})
	f.Add([]byte{0, 0, 2, 0, 0, 2, 4, 9, 3, 0, 0, 2, 1, 17, 0, 2, 5, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 200)]
		b := outbox{max: 800}
		var sent []Frame // the model: frame n is sent[n-1]
		base := 0
		var current, abandoned []loan
		for i, op := range ops {
			arg := int(op >> 3)
			switch op & 7 {
			case 0, 6, 7:
				fr := Frame{Stream: fmt.Sprint(i), Data: bytes.Repeat([]byte{byte(i)}, arg*8)}
				room := base == len(sent) || sizeOf(sent[base:])+fr.size() <= b.max
				if got := b.add(fr); got != room {
					t.Fatalf("add of %d bytes = %v beside %d bytes", fr.size(), got, sizeOf(sent[base:]))
				}
				if room {
					sent = append(sent, fr)
				}
			case 1: // from 3 below the newest acknowledgement
				n := max(0, base+arg-3)
				if err := b.ack(uint64(n)); (err == ErrAhead) != (n > len(sent)) {
					t.Fatalf("ack(%d) = %v of %d sent", n, err, len(sent))
				}
				if n <= len(sent) {
					base = max(base, n)
				}
			case 2: // any part of what is kept
				first := base + 1 + arg%(len(sent)-base+1)
				got := b.from(uint64(first), uint64(len(sent)))
				current = append(current, loan{got, slices.Clone(sent[first-1:])})
			case 3:
				b.returned()
				current = nil
			case 4:
				b.abandon()
				abandoned, current = append(abandoned, current...), nil
			case 5:
				if arg == 0 {
					b.drop()
					base = len(sent)
				}
			}
			if b.base != uint64(base) || b.last() != uint64(len(sent)) || b.bytes != sizeOf(sent[base:]) {
				t.Fatalf("op %d: kept (%d, %d] in %d bytes, want (%d, %d] in %d",
					i, b.base, b.last(), b.bytes, base, len(sent), sizeOf(sent[base:]))
			}
			for _, l := range slices.Concat(current, abandoned) {
				if !l.intact() {
					t.Fatalf("op %d: frames that a carrier reads were overwritten: %v, want %v", i, l.lent, l.want)
				}
			}
			if !(loan{b.frames, sent[base:]}).intact() {
				t.Fatalf("op %d: kept frames changed", i)
			}
		}
	})
}
