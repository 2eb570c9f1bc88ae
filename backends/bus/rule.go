package bus

import (
	"slices"
	"strings"
	"time"
)

// Defaults, where a [TopicRule] leaves a field zero.
const (
	DefaultHistory      = 100
	DefaultHistoryAge   = 10 * time.Minute
	DefaultHistoryBytes = 1 << 20
)

// A TopicRule has the settings of the topics that match its pattern.
type TopicRule struct {
	// Pattern is a topic's name, or the beginning of names followed by "*".
	// The empty pattern matches nothing.
	Pattern string
	// History is how many messages are kept. Zero: DefaultHistory. Negative:
	// none.
	History int
	// Age is how long they are kept. Zero: DefaultHistoryAge. Negative:
	// however old they are.
	Age time.Duration
	// Bytes bounds the history, as encoded and with its bookkeeping. Zero:
	// DefaultHistoryBytes. Negative: only Options.MaxHistoryBytes does.
	Bytes int
	// Slow is what happens to subscribers that are too slow.
	Slow Policy
	// MaxMessage bounds the data of one message, in bytes. Zero:
	// Options.MaxMessage, which bounds it anyway.
	MaxMessage int
	// Rate is how many messages a second one client may publish in the topics
	// of this rule, on average; Burst is how many at once. Zero: any number,
	// and as many as in one second, but at least one.
	Rate  float64
	Burst int
	// ServerOnly keeps clients from publishing, whatever else allows it.
	ServerOnly bool
	// NoPresence has nobody be seen in the topic, nor asked for.
	NoPresence bool
	// NoEvents has nobody told who comes and goes. Who is there may be asked.
	NoEvents bool
	// ShowUsers has messages and members say whose they are, as Options.Guard
	// knows it: nobody can pass for another there. Else names of users, which
	// may be private, are not told.
	ShowUsers bool
}

// A Policy says what happens to a subscriber when its session takes no more.
type Policy int

const (
	// End ends the session with the condition Overflow. Its client makes a
	// new one and recovers by its positions.
	End Policy = iota
	// DropOldest lets the subscriber go on from history when there is room
	// again. If history no longer reaches back, it is told what was dropped.
	DropOldest
	// LatestPerKey does the same, but of what was missed only the newest
	// message of each key follows. Messages without a key are all kept.
	LatestPerKey
)

// String returns the policy's name: "end", "drop-oldest" or "latest-per-key".
func (p Policy) String() string {
	switch p {
	case DropOldest:
		return "drop-oldest"
	case LatestPerKey:
		return "latest-per-key"
	}
	return "end"
}

func (r *TopicRule) match(topic string) bool {
	if prefix, ok := strings.CutSuffix(r.Pattern, "*"); ok {
		return strings.HasPrefix(topic, prefix)
	}
	return r.Pattern == topic
}

// find returns the index of the rule for a topic; -1: there is none.
func (o *Options) find(topic string) int {
	return slices.IndexFunc(o.Topics, func(r TopicRule) bool { return r.match(topic) })
}

// Rule returns the settings of a topic, with all defaults filled in, for engines.
func (o *Options) Rule(topic string) TopicRule {
	opts := o.withDefaults()
	return opts.rule(topic)
}

// rule returns the settings of a topic.
func (o *Options) rule(topic string) TopicRule {
	var r TopicRule
	if i := o.find(topic); i >= 0 {
		r = o.Topics[i]
	}
	setDefault(&r.History, DefaultHistory)
	setDefault(&r.Age, DefaultHistoryAge)
	setDefault(&r.Bytes, DefaultHistoryBytes)
	return r
}
