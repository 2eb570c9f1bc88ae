package main

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
)

// This file has what the admin page asks about: sessions, topics, and who is slow.
// All of it is of this process.

// A sessionInfo is a session as the page shows it: its two windows, and who and
// where its client is. Session is its name in logs. Times are in seconds.
type sessionInfo struct {
	Session  string  `json:"session"`
	Protocol string  `json:"protocol"`
	User     string  `json:"user,omitempty"`
	Address  string  `json:"address,omitempty"`
	Age      float64 `json:"age"`
	Away     float64 `json:"away"` // since when nothing is open; 0 while something is
	Streams  int     `json:"streams"`
	Slots    int     `json:"slots"` // requests that are held
	Pulling  bool    `json:"pulling"`
	Inbox    inbox   `json:"inbox"`
	Outbox   outbox  `json:"outbox"`
}

type inbox struct {
	Next       uint64 `json:"next"`
	Window     int    `json:"window"`
	Bytes      int    `json:"bytes"`
	Early      int    `json:"early"`
	EarlyBytes int    `json:"earlyBytes"`
	Max        int    `json:"max"`
	Full       bool   `json:"full"`
}

type outbox struct {
	Base    uint64 `json:"base"`
	Last    uint64 `json:"last"`
	Bytes   int    `json:"bytes"`
	Max     int    `json:"max"`
	Answers int    `json:"answers"`
	Full    bool   `json:"full"`
}

func (a *admin) info(s listed, now time.Time) sessionInfo {
	st := s.Status()
	i := sessionInfo{
		Session:  s.LogID(),
		Protocol: s.Params().Protocol,
		User:     a.userOf(s.Session),
		Age:      now.Sub(s.began).Seconds(),
		Streams:  st.Streams,
		Slots:    st.Slots,
		Pulling:  st.Pulling,
		Inbox:    inbox{st.Next, st.Window, st.InboxBytes, st.Early, st.EarlyBytes, st.MaxInbox, st.InboxFull()},
		Outbox:   outbox{st.Base, st.Last, st.OutboxBytes, st.MaxOutbox, st.Answers, st.OutboxFull()},
	}
	if s.from.IsValid() {
		i.Address = s.from.String()
	}
	if !st.Quiet.IsZero() {
		i.Away = max(0, now.Sub(st.Quiet).Seconds())
	}
	return i
}

func (a *admin) userOf(s *transport.Session) string {
	user, _ := a.gateway.allowed.guard.Who(s)
	return user
}

// A list is one page of something. More says that others follow the last.
type list[T any] struct {
	Node string `json:"node,omitempty"`
	Rows []T    `json:"rows"`
	More bool   `json:"more"`
}

// listSessions lists sessions by their names, those of one protocol or user if the
// page asks for that.
func (a *admin) listSessions(_ string, q *adminQuery) (any, error) {
	type row struct {
		name string
		s    listed
	}
	var rows []row
	for _, s := range a.gateway.sessions.all() {
		if q.Protocol != "" && s.Params().Protocol != q.Protocol || q.User != "" && a.userOf(s.Session) != q.User {
			continue
		}
		if name := s.LogID(); name > q.After {
			rows = append(rows, row{name, s})
		}
	}
	slices.SortFunc(rows, func(r, o row) int { return cmp.Compare(r.name, o.name) })
	l := list[sessionInfo]{Node: a.gateway.settings.Node, More: len(rows) > q.Limit}
	now := time.Now()
	for _, r := range rows[:min(q.Limit, len(rows))] {
		l.Rows = append(l.Rows, a.info(r.s, now))
	}
	return l, nil
}

var errNoSuchSession = &adminError{status: http.StatusNotFound, Code: "not-found", Message: "there is no such session here"}

func (a *admin) showSession(_ string, q *adminQuery) (any, error) {
	s, ok := a.gateway.sessions.find(q.Session)
	if !ok {
		return nil, errNoSuchSession
	}
	return a.info(s, time.Now()), nil
}

// maxReason bounds what a client is told of the end of its session.
const maxReason = 200

// endSession ends a session. Its client is told the reason, and not to come back by
// itself.
func (a *admin) endSession(who string, q *adminQuery) (any, error) {
	if len(q.Reason) > maxReason {
		return nil, &adminError{status: http.StatusBadRequest, Code: "bad-request", Message: "the reason is too long"}
	}
	s, ok := a.gateway.sessions.find(q.Session)
	if !ok || !s.Terminate(&transport.Termination{Condition: transport.Normal, Text: q.Reason}) {
		return nil, errNoSuchSession
	}
	a.logger.Info("session ended by an administrator", "session", q.Session, "key", who, "reason", q.Reason)
	return struct {
		Ended bool `json:"ended"`
	}{true}, nil
}

func (a *admin) listTopics(_ string, q *adminQuery) (any, error) {
	rows, more := a.gateway.backend.bus.Topics(q.After, q.Limit)
	return list[bus.TopicInfo]{a.gateway.settings.Node, rows, more}, nil
}

func (a *admin) listSlow(_ string, q *adminQuery) (any, error) {
	rows, more := a.gateway.backend.bus.Slow(q.Limit)
	return list[bus.SlowInfo]{a.gateway.settings.Node, rows, more}, nil
}
