package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A log is a stream, as the package uses them.
type log struct {
	opts   *Options
	js     jetstream.JetStream
	stream jetstream.Stream
	name   string
	slots  chan struct{} // of requests that are not answered yet

	// These are readOnce, askLast and put, but in tests.
	direct func(ctx context.Context, subject string, from uint64, since time.Time) (messages []stored, more bool, err error)
	leader func(ctx context.Context, subject string) (stored, error)
	store  func(ctx context.Context, msg *nats.Msg, after uint64) (seq uint64, err error)
}

// open makes the stream if it is not there, and changes it to these settings.
func (o *Options) open(ctx context.Context, cfg jetstream.StreamConfig) (*log, error) {
	js, err := jetstream.New(o.Conn)
	if err != nil {
		return nil, err
	}
	cfg.Replicas, cfg.Storage = o.Replicas, o.storage()
	// An id for the stream's numbers: they mean nothing in another.
	if old, err := js.Stream(ctx, cfg.Name); err == nil {
		cfg.Metadata = map[string]string{epochKey: old.CachedInfo().Config.Metadata[epochKey]}
	}
	if cfg.Metadata[epochKey] == "" {
		cfg.Metadata = map[string]string{epochKey: newID()}
	}
	stream, err := js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("jetstream: stream %s: %w", cfg.Name, err)
	}
	// Several may have made it at once: what is there now counts for all.
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	if info.Config.Metadata[epochKey] == "" {
		return nil, fmt.Errorf("jetstream: stream %s is somebody else's", cfg.Name)
	}
	l := &log{opts: o, js: js, stream: stream, name: cfg.Name, slots: make(chan struct{}, maxUnanswered)}
	l.direct, l.leader, l.store = l.readOnce, l.askLast, l.put
	return l, nil
}

const epochKey = "epoch"

// maxUnanswered bounds the requests of one kind that NATS has not answered. When a
// node dies all its sessions are asked for at once: those above wait in line here,
// where waiting costs nothing, and not there, where each would be asked for again
// before it is answered.
const maxUnanswered = 256

// enter waits in line; leave is to be called afterwards.
func (l *log) enter(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *log) leave() { <-l.slots }

// epoch names one life of the stream.
func (l *log) epoch(ctx context.Context) (string, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return "", err
	}
	return info.Config.Metadata[epochKey], nil
}

// end returns the number of the stream's last message.
func (l *log) end(ctx context.Context) (uint64, error) {
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		info, err := l.stream.Info(once)
		cancel()
		if err == nil {
			return info.State.LastSeq, nil
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return 0, err
		}
	}
}

// wrongLastSequence is said instead where several are appended at once.
const wrongLastSequence jetstream.ErrorCode = 10164

// A stored message is one of a stream.
type stored struct {
	subject string
	seq     uint64
	data    []byte
	at      time.Time
}

// append stores a message if the last one of its subject is still the one with
// this number; zero: there is none. errMoved: it is not.
func (l *log) append(ctx context.Context, msg *nats.Msg, after uint64) (seq uint64, err error) {
	if err := l.enter(ctx); err != nil {
		return 0, err
	}
	defer l.leave()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.store(ctx, msg, after)
}

func (l *log) put(ctx context.Context, msg *nats.Msg, after uint64) (seq uint64, err error) {
	ack, err := l.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	switch {
	case err == nil:
		return ack.Sequence, nil
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == wrongLastSequence):
		return 0, errMoved
	}
	return 0, err
}

// patience is how long an answer is waited for before it is asked again: a server
// that has just died may still be taken for the one to ask.
const patience = time.Second

// insist stores a message as append does, and tries again if it does not get to know
// what came of it.
func (l *log) insist(ctx context.Context, msg *nats.Msg, after uint64) (seq uint64, err error) {
	for unknown := false; ; unknown = true {
		seq, err = l.append(ctx, msg, after)
		switch {
		case err == nil:
			return seq, nil
		case errors.Is(err, errMoved):
			if !unknown {
				return 0, err
			}
			// It may be this very message that is there.
			m, err := l.last(ctx, msg.Subject)
			if err != nil {
				return 0, err
			}
			if m.seq > after && bytes.Equal(m.data, msg.Data) {
				return m.seq, nil
			}
			return 0, errMoved
		case refused(err):
			return 0, err
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return 0, err
		}
	}
}

// refused reports whether NATS has said no, and will say it again.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code/100 == 4
}

var (
	errMoved = errors.New("jetstream: somebody else was faster")
	errNone  = errors.New("jetstream: no such message")
)

// last returns the last message of a subject, as the stream's leader has it; errNone:
// there is none.
func (l *log) last(ctx context.Context, subject string) (m stored, err error) {
	for {
		if err := l.enter(ctx); err != nil {
			return m, err
		}
		once, cancel := context.WithTimeout(ctx, patience)
		m, err = l.leader(once, subject)
		cancel()
		l.leave()
		if err == nil || errors.Is(err, errNone) {
			return m, err
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return m, err
		}
	}
}

func (l *log) askLast(ctx context.Context, subject string) (stored, error) {
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return stored{}, err
	}
	msg, err := l.opts.Conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+l.name, request)
	if err != nil {
		return stored{}, err
	}
	var answer struct {
		Error   *jetstream.APIError
		Message *struct {
			Subject string
			Seq     uint64
			Data    []byte
			Time    time.Time
		}
	}
	switch err := json.Unmarshal(msg.Data, &answer); {
	case err != nil:
		return stored{}, err
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return stored{}, errNone
	case answer.Error != nil:
		return stored{}, answer.Error
	case answer.Message == nil:
		return stored{}, errors.New("jetstream: an answer without a message")
	}
	m := answer.Message
	return stored{m.Subject, m.Seq, m.Data, m.Time}, nil
}

const (
	readMessages = 256
	readBytes    = 1 << 20
)

// read returns some messages of a subject, or of those that match it, from a number
// on, or from a time; more says that there are others. Any server that has the stream
// answers: it may be a little behind.
func (l *log) read(ctx context.Context, subject string, from uint64, since time.Time) (messages []stored, more bool, err error) {
	for {
		if err := l.enter(ctx); err != nil {
			return nil, false, err
		}
		once, cancel := context.WithTimeout(ctx, patience)
		messages, more, err = l.direct(once, subject, from, since)
		cancel()
		l.leave()
		if err == nil {
			return messages, more, nil
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return nil, false, err
		}
	}
}

func (l *log) readOnce(ctx context.Context, subject string, from uint64, since time.Time) (messages []stored, more bool, err error) {
	ask := map[string]any{"next_by_subj": subject, "batch": readMessages, "max_bytes": readBytes}
	if since.IsZero() {
		ask["seq"] = max(from, 1)
	} else {
		ask["start_time"] = since.UTC()
	}
	request, err := json.Marshal(ask)
	if err != nil {
		return nil, false, err
	}
	inbox := l.opts.Conn.NewInbox()
	came := make(chan *nats.Msg, readMessages+1) // and a last one, that says so; SubscribeSync would make half a megabyte
	sub, err := l.opts.Conn.ChanSubscribe(inbox, came)
	if err != nil {
		return nil, false, err
	}
	defer sub.Unsubscribe()
	if err := l.opts.Conn.PublishRequest("$JS.API.DIRECT.GET."+l.name, inbox, request); err != nil {
		return nil, false, err
	}
	for {
		var msg *nats.Msg
		select {
		case msg = <-came:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
		case "404":
			return messages, false, nil
		case "204":
			left, _ := strconv.Atoi(msg.Header.Get("Nats-Num-Pending"))
			return messages, left > 0, nil
		case "503":
			return nil, false, nats.ErrNoResponders
		default:
			return nil, false, fmt.Errorf("jetstream: reading failed: %s %s", status, msg.Header.Get("Description"))
		}
		m := stored{subject: msg.Header.Get("Nats-Subject"), data: msg.Data}
		if m.seq, err = strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64); err != nil {
			return nil, false, errors.New("jetstream: a message without a number")
		}
		m.at, _ = time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp"))
		messages = append(messages, m)
	}
}
