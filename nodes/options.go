package nodes

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// Defaults of [Options].
const (
	DefaultPrefix      = "mochibosh"
	DefaultBeat        = time.Second
	DefaultTimeout     = 4 * time.Second
	DefaultAnswerWait  = 3 * time.Minute
	DefaultMaxForwards = 100_000
)

// Options say who a node is, and its bounds.
type Options struct {
	// Conn is the connection to NATS. The node does not close it.
	Conn *nats.Conn
	// Name is the node's own: one to 63 letters, digits, - and _. No two nodes may
	// have the same at a time; a process that comes in place of another may.
	Name string
	// Prefix begins all subjects. Zero: DefaultPrefix.
	Prefix string
	// Beat is how often a node says that it is there. Zero: DefaultBeat.
	Beat time.Duration
	// Timeout is how long a node may be silent before it is taken for dead. Zero:
	// DefaultTimeout. At least three beats.
	Timeout time.Duration
	// Quorum is how many nodes a node has to hear, itself included, before it takes
	// others for dead. It is for nodes that have NATS within: one that is cut off hears
	// itself all the same. Zero: 1.
	Quorum int
	// AnswerWait bounds how long a forwarded request waits for the beginning of its
	// answer: longer than any request is held. Zero: DefaultAnswerWait.
	AnswerWait time.Duration
	// MaxForwards bounds the requests that wait for other nodes, and those of other
	// nodes that wait here. More are refused. Zero: DefaultMaxForwards.
	MaxForwards int
	// Logger takes who comes and goes (Info), and what fails. Nil: none.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Beat == 0 {
		o.Beat = DefaultBeat
	}
	if o.Timeout == 0 {
		o.Timeout = max(DefaultTimeout, 3*o.Beat)
	}
	if o.AnswerWait == 0 {
		o.AnswerWait = DefaultAnswerWait
	}
	if o.MaxForwards == 0 {
		o.MaxForwards = DefaultMaxForwards
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Conn == nil:
		return o, errors.New("nodes: no connection")
	case !ValidName(o.Name):
		return o, fmt.Errorf("nodes: %q is no name for a node: 1 to 63 letters, digits, - and _", o.Name)
	case o.Timeout < 3*o.Beat:
		return o, fmt.Errorf("nodes: the time-out %v is less than three beats of %v", o.Timeout, o.Beat)
	}
	return o, nil
}

// ValidName reports whether a node may be called so.
func ValidName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 63
}
