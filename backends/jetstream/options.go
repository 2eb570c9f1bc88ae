package jetstream

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// Defaults of [Options].
const (
	DefaultPrefix     = "mochibosh"
	DefaultTimeout    = 20 * time.Second
	DefaultMaxBytes   = 1 << 30
	DefaultMaxBatches = 16384
	DefaultSessionAge = 2 * time.Hour
)

// Options are of an [Engine] and of a [Store].
type Options struct {
	// Conn is the connection to NATS. It is not closed.
	Conn *nats.Conn
	// Prefix begins all names of streams and subjects. Zero: DefaultPrefix.
	Prefix string
	// Node is the name of this process among those that share the streams: letters,
	// digits, - and _.
	Node string
	// Replicas is how many servers keep each message. Zero: 1.
	Replicas int
	// InMemory keeps the streams in the memory of the servers, not on their disks.
	InMemory bool
	// Timeout bounds how long NATS may take to answer. Until then what is to be
	// published waits, then it is refused. Zero: DefaultTimeout.
	Timeout time.Duration
	// MaxBytes bounds the stream of topics; above it, its oldest messages go. Zero:
	// DefaultMaxBytes. Negative: only the server's limits do.
	MaxBytes int64
	// MaxBatches bounds what the stream has of one topic: at least that many of its
	// last messages are there. Zero: DefaultMaxBatches, and no less than any topic's
	// history.
	MaxBatches int
	// SessionAge is how long a session is kept that is not stored again. It has to be
	// longer than any session may be inactive. Zero: DefaultSessionAge.
	SessionAge time.Duration
	// Bus has the settings of topics, and its limits.
	Bus *bus.Options
	// Logger takes what fails. Nil: none.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxBatches == 0 {
		o.MaxBatches = DefaultMaxBatches
	}
	if o.SessionAge == 0 {
		o.SessionAge = DefaultSessionAge
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Conn == nil:
		return o, errors.New("jetstream: no connection")
	case o.Node == "" || o.Node != token(o.Node):
		return o, errors.New("jetstream: the name of the node has other characters than letters, digits, - and _")
	}
	return o, nil
}

func (o *Options) storage() jetstream.StorageType {
	if o.InMemory {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// name returns the name of a stream.
func (o *Options) name(stream string) string { return o.Prefix + "-" + stream }

// subject returns a subject.
func (o *Options) subject(tokens ...string) string {
	s := o.Prefix
	for _, t := range tokens {
		s += "." + t
	}
	return s
}

const digits = "0123456789ABCDEF"

// token writes any text as one token of a subject.
func token(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && isPlain(s[i])
	}
	if plain && s != "" {
		return s
	}
	b := make([]byte, 0, 3*len(s)+1)
	for i := range len(s) {
		if c := s[i]; isPlain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', digits[c>>4], digits[c&15])
		}
	}
	if s == "" {
		b = append(b, '=')
	}
	return string(b)
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// untoken undoes token.
func untoken(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '=' || i+2 >= len(s) {
			if s[i] != '=' {
				b = append(b, s[i])
			}
			continue
		}
		hi, lo := strings.IndexByte(digits, s[i+1]), strings.IndexByte(digits, s[i+2])
		if hi < 0 || lo < 0 {
			continue
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	return string(b)
}
