package bus

import (
	"context"
	"encoding/json"
)

// An Engine keeps topics: it numbers messages, remembers them, hands them to
// those who subscribed, and knows who is present. It may do so for several
// processes, each with its own [Bus]. All methods may be called from many
// goroutines at once. Names and sizes were checked by the caller. An error that
// a client can do something about is an *Error.
type Engine interface {
	// Publish adds a message to its topic. One whose id was published in the
	// topic before, within the engine's limits, is not added again, and
	// answered with the position of the first.
	Publish(ctx context.Context, topic string, p Publication) (Published, error)
	// Read returns a part of the topic's history: all that was delivered to a
	// sink before the call, as far as it is kept. The slice is the caller's.
	Read(ctx context.Context, topic string, q Query) (Replay, error)
	// Subscribe has every later message and presence event of the topic
	// handed to the sink, until cancel is called. It returns the position of
	// the last message before.
	Subscribe(ctx context.Context, topic string, sink Sink) (at Position, cancel func(), err error)

	// Join makes a member present, or changes its info.
	Join(ctx context.Context, topic string, m Member) error
	// Leave undoes Join. It is no error if the member is not present.
	Leave(ctx context.Context, topic string, id string) error
	// Members returns up to limit of those present, and how many there are.
	Members(ctx context.Context, topic string, limit int) (members []Member, count int, err error)
}

// A Syncer is an Engine that answers Publish before the message is as safe as
// it is going to be. Sync waits until all messages before are.
type Syncer interface {
	Sync(ctx context.Context) error
}

// A Rewinder is an Engine that outlives processes: it remembers which commands it
// has carried out.
type Rewinder interface {
	// Rewind returns the position before the first message that commands after this
	// one, of the same stream, have published in the topic; ok is false if there is
	// none that is remembered. Who carries a command out again that begins a
	// subscription begins it there: its client has published afterwards.
	Rewind(ctx context.Context, topic string, command Origin) (at Position, ok bool, err error)
}

// A Sink takes what an [Engine] hands out for one topic. Calls to Deliver,
// Joined, Left and Evicted must not overlap; messages come in the order of their
// offsets. None of them blocks or calls the engine, so the engine may hold
// locks.
type Sink interface {
	// Deliver takes a message. One that was delivered before is dropped; if
	// some are missing before it, the subscribers are told so.
	Deliver(m Message)
	Joined(m Member)
	Left(m Member)
	// Evicted follows Left where it was another process that has taken a member of
	// this one for gone. If the member is still here, it joins again.
	Evicted(m Member)
	// Room waits until fewer than Options.MaxPending calls are waiting to be
	// worked off. An engine that reads from a network calls it before Deliver.
	Room(ctx context.Context) error
}

// A Position is a place in a topic: just after the message with this offset.
type Position struct {
	// Epoch names one life of the topic's numbers.
	Epoch string `json:"epoch"`
	// Offset is the message's number, from 1.
	Offset uint64 `json:"offset"`
}

// A Publication is what is to be published.
type Publication struct {
	// Data is one JSON value on one line. It is the publisher's: an engine
	// that keeps it makes a copy.
	Data json.RawMessage
	// ID, if set, makes repeating harmless.
	ID string
	// Key, if set, says what the message is about, for LatestPerKey.
	Key string
	// User, if set, is who publishes it, as subscribers are to see it.
	User string
	// Receipts, if set, is the topic for receipts: the message remembers it, and
	// ID, as Message.Receipt.
	Receipts string
	// Origin is the command that it comes from, if a client sent it. A process
	// that takes its session over may carry the same command out again: an
	// engine that outlives processes publishes nothing then, and answers as it
	// did before.
	Origin Origin
}

// An Origin is a command of a client: the one with this number on a stream of a
// session. The zero value is none.
type Origin struct {
	Session, Stream string
	Number          uint64
}

// Published answers a publication.
type Published struct {
	Position
	// Duplicate says that the id was published before, at this position.
	Duplicate bool `json:"duplicate,omitempty"`
}

// A Query asks for a part of a topic's history.
type Query struct {
	// Since, if set, asks for all messages after a position.
	Since *Position
	// Last asks for the newest messages, up to this many, if Since is nil.
	Last int
}

// A Replay answers a [Query].
type Replay struct {
	// Position is just before Messages[0]; without messages, it is that of
	// the topic's last message.
	Position
	// Recovered says that every message after Query.Since is here. If not,
	// some are lost for good, and Messages are all that is kept.
	Recovered bool
	Messages  []Message
}

// Last returns the position after the messages.
func (r *Replay) Last() Position {
	if n := len(r.Messages); n > 0 {
		return r.Messages[n-1].Position
	}
	return r.Position
}

// A Member is somebody present in a topic.
type Member struct {
	// ID is public and random. It stands for one stream of a session, the
	// same in all topics, and says nothing of the session's own id.
	ID string
	// Info is what the member says of itself: a JSON value on one line.
	Info json.RawMessage
	// User, if set, is who it is, as others are to see it.
	User string
}
