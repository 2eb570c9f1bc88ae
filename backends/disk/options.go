package disk

import (
	"fmt"
	"log/slog"
	"time"
)

// Durability says what is kept of a process that ends without notice.
type Durability int

const (
	// None keeps nothing: only a process that ends in good order is followed by
	// one that goes on where it left off.
	None Durability = iota
	// Interval writes everything before anybody is told of it, and forces it to
	// the disk every Options.Interval. The end of the process costs nothing. The
	// end of the machine ends the sessions, and the positions in all topics, and
	// costs what was published within the interval; clients are told.
	Interval
	// Exchange forces everything to the disk before anybody is told of it:
	// neither the end of the process nor that of the machine costs anything.
	Exchange
)

var durabilities = [...]string{None: "none", Interval: "interval", Exchange: "exchange"}

// String returns the name of the durability.
func (d Durability) String() string { return durabilities[d] }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Durability) UnmarshalText(text []byte) error {
	for i, name := range durabilities {
		if name == string(text) {
			*d = Durability(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of none, interval and exchange", text)
}

// Defaults of [Options].
const (
	DefaultInterval    = time.Second
	DefaultCompactFrom = 64 << 20
)

// Options configure a [Log].
type Options struct {
	Durability Durability
	// Interval is how often Interval forces what was written to the disk. Zero:
	// DefaultInterval.
	Interval time.Duration
	// CompactFrom is the size of the file in bytes below which it is not
	// written anew, whatever is out of date in it. Zero: DefaultCompactFrom.
	CompactFrom int64
	// Load takes what the bus said in the life of earlier processes; the record
	// is not kept. Nil: it is skipped.
	Load func(record []byte) error
	// Dump emits records that have Load come to know all that the bus does. Last
	// says that nothing comes after. Nil: there are none.
	Dump func(emit func(record []byte), last bool)
	// Logger takes what was found (Info), and what failed (Error). Nil: no logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Interval <= 0 {
		opts.Interval = DefaultInterval
	}
	if opts.CompactFrom <= 0 {
		opts.CompactFrom = DefaultCompactFrom
	}
	if opts.Load == nil {
		opts.Load = func([]byte) error { return nil }
	}
	if opts.Dump == nil {
		opts.Dump = func(func([]byte), bool) {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}
