package chaos

import "time"

// A Fault is something that happens to an exchange, or to a piece of a stream.
type Fault uint8

// Faults that damage: something is lost, twice, out of order or broken.
const (
	None         Fault = iota
	DropRequest        // the server never sees the request; the connection breaks
	DropResponse       // the server sent its answer; the connection breaks instead
	Duplicate          // the request is sent twice at the same time
	Replay             // the request is sent again up to Options.ReplayAfter later
	Reorder            // the request waits until others have overtaken it
	CutRequest         // both connections break in the middle of the request
	CutWaiting         // both break while the answer is awaited
	CutResponse        // both break in the middle of the answer, or of a piece
	HalfClose          // one direction is closed after the request, or a piece
	CutAll             // the exchange was under way when Proxy.Cut was called
)

// Faults that hinder: all arrives, but slowly or in small packets.
const (
	Delay Fault = CutAll + 1 + iota // before the answer, or a piece
	Split                           // a byte here, a few there
	Stall                           // a pause in the middle of a body
	faults
)

var names = [faults]string{
	"none", "request dropped", "response dropped", "request doubled", "request replayed", "request reordered",
	"cut in the request", "cut while waiting", "cut in the response", "half closed", "cut with all others",
	"delayed", "split", "stalled",
}

func (f Fault) String() string { return names[f] }

// Damages reports whether the fault does more than hinder.
func (f Fault) Damages() bool { return f > None && f <= CutAll }

// All returns the faults.
func All() []Fault {
	all := make([]Fault, 0, faults-1)
	for f := None + 1; f < faults; f++ {
		all = append(all, f)
	}
	return all
}

// Rates are the probabilities of faults. Their sum is at most 1: an exchange
// meets one fault.
type Rates map[Fault]float64

// Scaled returns the rates, each multiplied by x.
func (r Rates) Scaled(x float64) Rates {
	scaled := make(Rates, len(r))
	for f, p := range r {
		scaled[f] = p * x
	}
	return scaled
}

// Without returns the rates with some at zero.
func (r Rates) Without(without ...Fault) Rates {
	rest := r.Scaled(1)
	for _, f := range without {
		delete(rest, f)
	}
	return rest
}

// Bad is a bad network: about one exchange in ten is damaged, as many are
// hindered.
var Bad = Rates{
	DropRequest: .01, DropResponse: .015, Duplicate: .015, Replay: .015, Reorder: .015,
	CutRequest: .01, CutWaiting: .01, CutResponse: .01, HalfClose: .01,
	Delay: .04, Split: .04, Stall: .01,
}

// BadStream is the same for the pieces of streams, where there is less that can
// happen: the order of a connection's bytes is TCP's, so what damages is that
// it breaks. The opening of a stream is an exchange.
var BadStream = Rates{CutResponse: .05, HalfClose: .01, Delay: .03, Split: .03, Stall: .005}

// Options configure a [Proxy].
type Options struct {
	// Seed of the dice.
	Seed uint64
	// Exchanges are the faults of requests and their answers, Pieces those of
	// streams. Nil: none.
	Exchanges, Pieces Rates
	// MaxDelay bounds how long something is delayed, stalled, or held back to be
	// overtaken. Zero: 100 ms.
	MaxDelay time.Duration
	// ReplayAfter bounds how much later a request is replayed; it is half of
	// that at least. Zero: 3 s.
	ReplayAfter time.Duration
	// MaxBody bounds the bytes of a body that is kept to be sent at once. Zero:
	// 8 MiB. Longer ones, and those of unknown length, are streams.
	MaxBody int64
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.MaxDelay == 0 {
		opts.MaxDelay = 100 * time.Millisecond
	}
	if opts.ReplayAfter == 0 {
		opts.ReplayAfter = 3 * time.Second
	}
	if opts.MaxBody == 0 {
		opts.MaxBody = 8 << 20
	}
	return opts
}
