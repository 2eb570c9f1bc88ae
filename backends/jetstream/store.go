package jetstream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mochibosh/mochibosh/transport"
)

// A Store keeps sessions. It is a transport.Store, and may be used by many
// goroutines at once.
type Store struct {
	opts Options
	log  *log
}

// NewStore returns the store of all processes with this prefix.
func NewStore(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{opts: o}
	s.log, err = s.opts.open(ctx, jetstream.StreamConfig{
		Name:              o.name("sessions"),
		Description:       "sessions of mochibosh",
		Subjects:          []string{o.subject("session", "*")},
		MaxMsgsPerSubject: 1,
		MaxAge:            o.SessionAge,
		Discard:           jetstream.DiscardNew,
		AllowMsgTTL:       true,
	})
	return s, err
}

// maxID bounds the ids that are looked for.
const maxID = 200

func (s *Store) subject(id string) string { return s.opts.subject("session", token(id)) }

// Load implements transport.Store.
func (s *Store) Load(ctx context.Context, id string) ([]byte, uint64, error) {
	if id == "" || len(id) > maxID {
		return nil, 0, transport.ErrNoSession
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	m, err := s.log.last(ctx, s.subject(id))
	if errors.Is(err, errNone) || err == nil && len(m.data) == 0 {
		return nil, 0, transport.ErrNoSession
	}
	return m.data, m.seq, err
}

// Save implements transport.Store.
func (s *Store) Save(ctx context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	return s.store(ctx, &nats.Msg{Subject: s.subject(id), Data: snapshot}, revision)
}

// overFor is how long it is known that a session is over, so that nobody who did not
// hear of it stores it again.
const overFor = "10m"

// Delete implements transport.Store.
func (s *Store) Delete(ctx context.Context, id string, revision uint64) error {
	_, err := s.store(ctx, &nats.Msg{Subject: s.subject(id), Header: nats.Header{"Nats-TTL": {overFor}}}, revision)
	return err
}

func (s *Store) store(ctx context.Context, msg *nats.Msg, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	next, err := s.log.insist(ctx, msg, revision)
	if errors.Is(err, errMoved) {
		return 0, transport.ErrConflict
	}
	return next, err
}
