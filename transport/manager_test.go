package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestManagerLimits(t *testing.T) {
	t.Run("live sessions", bubble(func(t *testing.T) {
		m := NewManager(&Options{MaxSessions: 2})
		first, _ := m.Create(t.Context(), testParams)
		m.Create(t.Context(), testParams)
		if _, err := m.Create(t.Context(), testParams); err != ErrTooManySessions {
			t.Errorf("err = %v, want ErrTooManySessions", err)
		}
		first.Terminate(nil)
		if _, err := m.Create(t.Context(), testParams); err != nil {
			t.Errorf("after one ended: %v", err)
		}
	}))
	t.Run("whatever Admit counts", bubble(func(t *testing.T) {
		var admitted, released int
		m := NewManager(&Options{MaxSessions: 1, Admit: func(context.Context) (func(), error) {
			if admitted == 2 {
				return nil, ErrClientLimit
			}
			admitted++
			return func() { released++ }, nil
		}})
		s, _ := m.Create(t.Context(), testParams)
		if _, err := m.Create(t.Context(), testParams); err != ErrTooManySessions || released != 1 {
			t.Errorf("above MaxSessions: %v, released %d; want it released", err, released)
		}
		if _, err := m.Create(t.Context(), testParams); err != ErrClientLimit || released != 1 {
			t.Errorf("not admitted: %v, released %d; want nothing released", err, released)
		}
		s.Terminate(nil)
		s.Terminate(nil)
		if released != 2 {
			t.Errorf("after the end: released %d, want 2", released)
		}
	}))
	t.Run("streams of a session", bubble(func(t *testing.T) {
		s := newBareSession(t, &Options{Backend: &recorder{}, MaxStreams: 2}, testParams)
		openStream(t, s, "1")
		second := openStream(t, s, "2")
		if _, err := s.Open(t.Context(), "3", ""); err != ErrTooManyStreams {
			t.Errorf("err = %v, want ErrTooManyStreams", err)
		}
		second.Close(nil)
		synctest.Wait()
		openStream(t, s, "3")
	}))
	t.Run("what sessions agree on", func(t *testing.T) {
		upper := Params{
			Wait: 3 * time.Minute, Inactivity: time.Minute, MaxPause: 2 * time.Minute,
			Hold: 2, Requests: 5, MaxInbox: 1000, MaxOutbox: 2000,
		}
		tests := []struct {
			name      string
			ask, want Params
		}{
			{"zero is the upper bound where zero makes no sense", Params{},
				Params{Inactivity: time.Minute, Requests: 5, MaxInbox: 1000, MaxOutbox: 2000, FirstSeq: 1}},
			{"what is above is lowered",
				Params{Wait: time.Hour, Inactivity: time.Hour, MaxPause: time.Hour, Hold: 9, Requests: 9, MaxInbox: 1 << 20, MaxOutbox: 1 << 20, FirstSeq: 7},
				Params{Wait: 3 * time.Minute, Inactivity: time.Minute, MaxPause: 2 * time.Minute, Hold: 2, Requests: 5, MaxInbox: 1000, MaxOutbox: 2000, FirstSeq: 7}},
			{"what is below stays", Params{Wait: 1, Inactivity: 2, MaxPause: 3, Hold: 1, Requests: 1, MaxInbox: 6, MaxOutbox: 7, FirstSeq: 8},
				Params{Wait: 1, Inactivity: 2, MaxPause: 3, Hold: 1, Requests: 1, MaxInbox: 6, MaxOutbox: 7, FirstSeq: 8}},
		}
		for _, test := range tests {
			t.Run(test.name, bubble(func(t *testing.T) {
				got := newBareSession(t, &Options{Limits: upper}, test.ask).Params()
				if fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("got %+v\nwant %+v", got, test.want)
				}
			}))
		}
	})
}

func TestLookup(t *testing.T) {
	lookup := func(m *Manager, s *Session) error {
		found, err := m.Lookup(context.Background(), s.ID())
		if err == nil && found != s {
			return errors.New("found another session")
		}
		return err
	}
	t.Run("finds sessions by their id", bubble(func(t *testing.T) {
		m := NewManager(&Options{NewID: func() string { return "the only one" }})
		s, _ := m.Create(t.Context(), testParams)
		if err := lookup(m, s); err != nil || s.ID() != "the only one" {
			t.Errorf("%q: %v", s.ID(), err)
		}
		if _, err := m.Lookup(t.Context(), "another"); err != ErrNoSession {
			t.Errorf("err = %v, want ErrNoSession", err)
		}
	}))
	t.Run("finds an ended session for as long as its client may come late", bubble(func(t *testing.T) {
		m := NewManager(nil)
		s, _ := m.Create(t.Context(), testParams)
		s.Terminate(&Termination{Condition: Policy})
		if got := m.Stats(); got != (Stats{Ended: 1}) {
			t.Errorf("stats: %+v", got)
		}
		time.Sleep(testParams.Wait + testParams.Inactivity - nanosecond)
		if err := lookup(m, s); err != nil {
			t.Errorf("a nanosecond before: %v", err)
		}
		r := exchange(t.Context(), s, Request{Seq: 1})
		if end := r.wantDone(t, "late").End; end == nil || end.Condition != Policy {
			t.Errorf("a late request is told %v", end)
		}
		time.Sleep(nanosecond)
		if synctest.Wait(); lookup(m, s) != ErrNoSession {
			t.Error("it is remembered for ever")
		}
		if got := m.Stats(); got != (Stats{}) {
			t.Errorf("stats: %+v", got)
		}
	}))
	t.Run("forgets the oldest when there are too many", bubble(func(t *testing.T) {
		m := NewManager(&Options{MaxEnded: 2})
		var all []*Session
		for range 3 {
			s, _ := m.Create(t.Context(), testParams)
			s.Terminate(nil)
			all = append(all, s)
		}
		if lookup(m, all[0]) != ErrNoSession || lookup(m, all[1]) != nil || lookup(m, all[2]) != nil {
			t.Error("want the last two")
		}
		if got := m.Stats(); got != (Stats{Ended: 2}) {
			t.Errorf("stats: %+v", got)
		}
		time.Sleep(time.Hour)
		if synctest.Wait(); len(m.past) != 0 || len(m.sessions) != 0 {
			t.Error("something is left")
		}
	}))
	t.Run("remembers none if told so", bubble(func(t *testing.T) {
		m := NewManager(&Options{MaxEnded: -1})
		s, _ := m.Create(t.Context(), testParams)
		s.Terminate(nil)
		if lookup(m, s) != ErrNoSession {
			t.Error("it is remembered")
		}
	}))
	t.Run("counts what it remembers, not what it forgot", bubble(func(t *testing.T) {
		m := NewManager(&Options{MaxEnded: 2})
		long := testParams
		long.Inactivity = 5 * time.Minute
		s, _ := m.Create(t.Context(), long)
		s.Terminate(nil)
		for range 2 { // both are forgotten before the first is
			short, _ := m.Create(t.Context(), testParams)
			short.Terminate(nil)
			time.Sleep(testParams.Wait + testParams.Inactivity)
			synctest.Wait()
		}
		if lookup(m, s) != nil {
			t.Error("the first was forgotten although it is the only one")
		}
	}))
}

func TestShutdown(t *testing.T) {
	t.Run("ends all sessions and refuses new ones", bubble(func(t *testing.T) {
		b := &recorder{}
		m := NewManager(&Options{Backend: b})
		s, _ := m.Create(t.Context(), testParams)
		openStream(t, s, "s")
		held := exchange(t.Context(), s, Request{Seq: 1})
		held.wantWaiting(t, "held")
		if err := m.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.want(t, "closed before Shutdown returned", "open s", "close s: shutdown")
		if end := held.wantDone(t, "answered").End; end == nil || end.Condition != Shutdown {
			t.Errorf("end = %v", end)
		}
		if _, err := m.Create(t.Context(), testParams); conditionOf(err) != "shutdown" {
			t.Errorf("create: %v", err)
		}
		if _, err := m.Lookup(t.Context(), s.ID()); err != nil {
			t.Errorf("late requests still learn why: %v", err)
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Errorf("a second time: %v", err)
		}
	}))
	t.Run("waits for receivers", bubble(func(t *testing.T) {
		b := &recorder{onClose: func(*Stream, error) { time.Sleep(time.Second) }}
		s, _ := newSession(t, b, testParams)
		began := time.Now()
		if err := s.manager.Shutdown(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Errorf("took %v: %v", time.Since(began), err)
		}
	}))
	t.Run("waits no longer than its context", bubble(func(t *testing.T) {
		b := &recorder{onClose: func(*Stream, error) { time.Sleep(time.Hour) }}
		s, _ := newSession(t, b, testParams)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := s.manager.Shutdown(ctx); err != context.DeadlineExceeded || time.Since(began) != time.Minute {
			t.Errorf("took %v: %v", time.Since(began), err)
		}
		s.manager.Shutdown(t.Context()) // leave nothing running
	}))
}

func TestLogsNameNoSecrets(t *testing.T) {
	bubble(func(t *testing.T) {
		var log bytes.Buffer
		b := &recorder{onReceive: func(*Stream, []byte) error { panic("oops") }}
		p := testParams
		p.Secret = "open sesame"
		s := newBareSession(t, &Options{
			Backend: b, NewID: func() string { return "session-0815" }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}, p)
		openStream(t, s, "s")
		push(t.Context(), s, 1, "payload").wantDone(t, "accepted")
		wantEnd(t, s, "panic", Internal)
		got := log.String()
		for _, want := range []string{"session started", "backend panicked", "session ended", "level=ERROR"} {
			if !strings.Contains(got, want) {
				t.Errorf("nothing is said about %q", want)
			}
		}
		for _, secret := range []string{s.ID(), p.Secret, "payload"} {
			if strings.Contains(got, secret) {
				t.Errorf("%q is logged", secret)
			}
		}
	})(t)
}
