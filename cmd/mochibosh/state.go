package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/disk"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/websocket"
)

// A state is what outlives the process: the sessions with the bus, and the bus.
type state struct {
	log    *disk.Log
	memory *bus.Memory // nil: there is no bus
	logger *slog.Logger
	stores bool // all the time, not only at the end
}

// openState reads what the last process has left, as far as it concerns the bus,
// whose engine it is to be. Nil: nothing is kept.
func openState(s *settings, o *bus.Options, logger *slog.Logger) (*state, error) {
	if s.StateDir == "" || len(s.NATS) > 0 { // which keeps all of that
		return nil, nil
	}
	st := &state{logger: logger, stores: s.Durability != disk.None}
	opts := &disk.Options{
		Durability:  s.Durability,
		Interval:    s.DurabilityInterval,
		CompactFrom: int64(s.StateCompactFrom),
		Logger:      logger,
	}
	if s.Push != "off" {
		st.memory = bus.NewMemory(o)
		opts.Load = func(record []byte) error { return st.memory.Load(record) }
		opts.Dump = func(emit func([]byte), last bool) { st.memory.Dump(emit, last) }
	}
	var err error
	if st.log, err = disk.Open(s.StateDir, opts); err != nil {
		return nil, err
	}
	if st.memory == nil {
		return st, nil
	}
	if st.log.Refused != nil {
		st.memory = bus.NewMemory(o) // whatever it was told
	}
	if st.log.NewEpoch {
		st.memory.NewEpoch()
	}
	return st, nil
}

// store returns where the manager stores sessions; nil: nowhere.
func (st *state) store() transport.Store {
	if st == nil || !st.stores {
		return nil
	}
	return st.log
}

// engine returns the engine of the bus that outlives the process; nil: none does.
func (st *state) engine() *bus.Memory {
	if st == nil {
		return nil
	}
	return st.memory
}

// takeOver has the sessions of the last process go on.
func (st *state) takeOver(ctx context.Context, m *transport.Manager) error {
	if st == nil {
		return nil
	}
	if st.stores {
		if st.memory != nil {
			st.memory.Keep(st.log)
		}
		if err := st.log.Begin(); err != nil {
			return err
		}
	}
	began, restored := time.Now(), 0
	err := st.log.Each(func(id string, snapshot []byte, revision uint64) {
		s, err := m.Restore(ctx, id, snapshot, revision)
		if err != nil {
			st.logger.Error("session not restored", "error", err)
			return
		}
		if s.Err() == nil {
			restored++
		}
	})
	if st.memory != nil {
		st.memory.Loaded()
	}
	if restored > 0 {
		st.logger.Info("sessions go on", "sessions", restored, "took", time.Since(began))
	}
	if err == nil && !st.stores {
		err = st.log.Begin()
	}
	return err
}

// awayFor is how long a restart takes, as clients are told.
const awayFor = time.Second

// suspend saves all sessions that can go on, and ends the others.
func (s *server) suspend(ctx context.Context) error {
	s.gateway.cluster.leave()
	o := transport.Suspension{Spread: s.in.ShutdownSpread, Away: awayFor, End: s.gateway.end}
	st := s.gateway.state
	if st != nil {
		if err := st.log.BeginLast(); err != nil {
			s.logger.Error("sessions cannot be saved, and end", "error", err)
			st = nil
		} else if !st.stores { // else it is the manager's own
			o.Store = st.log
		}
	}
	saved, err := s.gateway.manager.Suspend(ctx, o)
	s.logger.Info("sessions let go", "saved", saved)
	return err
}

// finish closes the state for the next process, once nothing happens any more.
func (st *state) finish() {
	if st == nil {
		return
	}
	if err := st.log.Finish(); err != nil {
		st.logger.Error("state not saved", "error", err)
	}
}

// end tells how a session ends that cannot go on. Those with XMPP servers may go
// on elsewhere: that their clients know how to.
func (g *gateway) end(s *transport.Session) *transport.Termination {
	uri, base := "", strings.TrimSuffix(g.settings.ShutdownRedirect, "/")
	switch s.Params().Protocol {
	case bosh.Protocol:
		uri = base + pathBOSH
	case websocket.ProtocolXMPP:
		uri = "ws" + strings.TrimPrefix(base, "http") + pathWebSocket
	}
	if base == "" || uri == "" {
		return &transport.Termination{Condition: transport.Shutdown, Text: "the server is going down"}
	}
	return &transport.Termination{Condition: transport.Moved, Text: "the server is going down", URI: uri}
}

// validateState finds what cannot work.
func (s *settings) validateState() error {
	var errs []error
	if s.Durability != disk.None && s.StateDir == "" {
		errs = append(errs, errors.New("durability: needs state-dir"))
	}
	if s.ShutdownSpread < 0 || s.ShutdownSpread >= s.ShutdownTimeout {
		errs = append(errs, errors.New("shutdown-spread: must be below shutdown-timeout"))
	}
	if u, err := url.Parse(s.ShutdownRedirect); s.ShutdownRedirect != "" &&
		(err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "") {
		errs = append(errs, errors.New("shutdown-redirect: is no URL such as https://gw.example"))
	}
	return errors.Join(errs...)
}
