package bus

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/internal/jsondepth"
	"github.com/mochibosh/mochibosh/transport"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultMaxMessage            = 64 << 10
	DefaultMaxInfo               = 1 << 10
	DefaultMaxTopicName          = 200
	DefaultMaxTopicsPerSession   = 100
	DefaultMaxTopics             = 100_000
	DefaultMaxHistoryBytes       = 256 << 20
	DefaultMaxMembers            = 1000
	DefaultMaxIDs                = 100_000
	DefaultMaxPending            = 1024
	DefaultMaxReceipts           = 100_000
	DefaultMaxReceiptsPerSession = 256
	DefaultIDAge                 = 5 * time.Minute
	DefaultTopicAge              = time.Hour
	DefaultMaxDepth              = jsondepth.Default
)

// MaxLabel bounds the bytes of a message's id and key, and of a ref.
const MaxLabel = 200

// An Op is what Options.Authorize is asked about.
type Op string

const (
	OpSubscribe Op = "subscribe"
	OpPublish   Op = "publish"
	OpHistory   Op = "history"  // to get messages from before
	OpPresence  Op = "presence" // to ask who is there, or to be seen there
)

// Options configure a [Bus] and a [Memory]. Zero fields stand for the Default
// constants; limits are inclusive.
type Options struct {
	// Engine keeps the topics. Nil: a Memory with these options.
	Engine Engine
	// Topics are settings for topics by their names; the first that matches
	// counts. Without a match, it is the zero TopicRule.
	Topics []TopicRule
	// OnlyKnown refuses topics that no rule is for, but for those that belong
	// to the server.
	OnlyKnown bool
	// Guard knows who the clients are, and what they may do. Nil: nobody asks,
	// and all is allowed.
	Guard *auth.Guard
	// Authorize, if set, is asked too, before each operation of a client, with
	// the context of its stream. An error refuses with Forbidden; the client
	// sees the text only of an *Error.
	Authorize func(ctx context.Context, st *transport.Stream, op Op, topic string) error

	// Survey, if set, asks the other processes that share the engine, and returns what
	// their Bus.Answer says to the question; with an error, not all have answered. Nil:
	// there are no others. See nodes.Node.Survey.
	Survey func(ctx context.Context, question []byte) (answers [][]byte, err error)

	// MaxMessage bounds the data of one message, in bytes.
	MaxMessage int
	// MaxInfo bounds what a member says of itself, in bytes.
	MaxInfo int
	// MaxTopicName bounds the name of a topic, in bytes. A name is never
	// empty, and is valid UTF-8 without control characters.
	MaxTopicName int
	// MaxTopicsPerSession bounds the subscriptions of one stream of a session.
	MaxTopicsPerSession int
	// MaxTopics bounds the topics of a Memory.
	MaxTopics int
	// MaxHistoryBytes bounds the histories of a Memory together; above it,
	// the oldest messages of all go first.
	MaxHistoryBytes int
	// MaxMembers bounds the members in one answer.
	MaxMembers int
	// MaxIDs bounds the ids of messages that a Memory remembers, to publish
	// none twice; above it, the oldest are forgotten before IDAge.
	MaxIDs int
	// MaxPending bounds the messages and presence events of one topic that
	// wait to be handed to its subscribers; above it, publishers wait.
	MaxPending int
	// MaxReceipts bounds the receipts that are waited for, or are to be given,
	// and MaxReceiptsPerSession those of one stream of a session. Above them
	// messages are delivered as before, and their receipts never come.
	MaxReceipts, MaxReceiptsPerSession int
	// OnReceipts, if set, takes the receipts for ServerReceipts, some at a time,
	// from one goroutine at a time. It may take its time: others wait, within
	// MaxReceipts. With an error they are lost.
	OnReceipts func(ctx context.Context, all []Receipt) error
	// IDAge is how long the id of a message is remembered.
	IDAge time.Duration
	// TopicAge is how long a topic that nobody uses and that has no history
	// left is remembered, so that who returns learns that nothing was missed.
	TopicAge time.Duration
	// MaxDepth bounds how deep values nest in a message.
	MaxDepth int
	// Trace observes. Nil: nobody does.
	Trace *Trace
	// Logger takes failures of the engine (Error), never payloads. Nil: no
	// logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	setDefault(&opts.MaxMessage, DefaultMaxMessage)
	setDefault(&opts.MaxInfo, DefaultMaxInfo)
	setDefault(&opts.MaxTopicName, DefaultMaxTopicName)
	setDefault(&opts.MaxTopicsPerSession, DefaultMaxTopicsPerSession)
	setDefault(&opts.MaxTopics, DefaultMaxTopics)
	setDefault(&opts.MaxHistoryBytes, DefaultMaxHistoryBytes)
	setDefault(&opts.MaxMembers, DefaultMaxMembers)
	setDefault(&opts.MaxIDs, DefaultMaxIDs)
	setDefault(&opts.MaxPending, DefaultMaxPending)
	setDefault(&opts.MaxReceipts, DefaultMaxReceipts)
	setDefault(&opts.MaxReceiptsPerSession, DefaultMaxReceiptsPerSession)
	setDefault(&opts.IDAge, DefaultIDAge)
	setDefault(&opts.TopicAge, DefaultTopicAge)
	setDefault(&opts.MaxDepth, DefaultMaxDepth)
	if opts.Trace == nil {
		opts.Trace = &Trace{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// parse reads a message of a client that does not nest too deep.
func (o *Options) parse(p []byte) (command, error) {
	if jsondepth.Exceeds(p, o.MaxDepth) {
		return command{}, badRequest("nested too deep, more than " + strconv.Itoa(o.MaxDepth) + " levels")
	}
	return parseCommand(p)
}

func (o *Options) checkName(name string) error {
	switch {
	case name == "":
		return badRequest("topic is missing or empty")
	case len(name) > o.MaxTopicName:
		return badRequest("topic is longer than " + strconv.Itoa(o.MaxTopicName) + " bytes")
	case !utf8.ValidString(name):
		return badRequest("topic is not UTF-8")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return badRequest("topic has a control character")
		}
	}
	return nil
}

// checkTopic refuses names that are none, and topics that there are not.
func (o *Options) checkTopic(name string) error {
	if err := o.checkName(name); err != nil {
		return err
	}
	if o.OnlyKnown && o.find(name) < 0 && !strings.HasPrefix(name, auth.Reserved) {
		return &Error{Code: UnknownTopic, Text: "there is no such topic"}
	}
	return nil
}
