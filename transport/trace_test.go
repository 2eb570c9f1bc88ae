package transport

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTraceIsTold(t *testing.T) {
	bubble(func(t *testing.T) {
		var log recorder
		s := newBareSession(t, &Options{Backend: BackendFunc(func(_ context.Context, st *Stream) (Receiver, error) {
			return recording{new(recorder), st}, nil
		}), Trace: &Trace{
			SessionStarted: func(s *Session) { log.note("started") },
			SessionEnded:   func(s *Session, end *Termination) { log.note("ended: %s", conditionOf(end)) },
			Answered:       func(s *Session, frames, bytes int) { log.note("answered %d, %d bytes", frames, bytes) },
			Repeated:       func(s *Session) { log.note("repeated") },
			Accepted:       func(s *Session, frames, bytes int) { log.note("accepted %d, %d bytes", frames, bytes) },
		}}, testParams)
		log.want(t, "created", "started")
		st := openStream(t, s, "s")
		exchange(t.Context(), s, Request{Seq: 1, Frames: frames("a", "bc"), Wait: -1}).wantDone(t, "polled")
		log.want(t, "a request", "accepted 2, 3 bytes", "answered 0, 0 bytes")
		exchange(t.Context(), s, Request{Seq: 2}).wantWaiting(t, "held")
		log.want(t, "an empty request, held")
		st.TrySend([]byte("xyz"))
		log.want(t, "answered", "answered 1, 3 bytes")
		exchange(t.Context(), s, Request{Seq: 2}).wantDone(t, "a copy")
		log.want(t, "answered again", "repeated", "answered 1, 3 bytes")
		s.Terminate(nil)
		s.Terminate(nil)
		log.want(t, "the end, once", "ended: normal")
	})(t)
}

// A stream pulls again as soon as it has written; Trace is told what was in
// the answer, not what became of it.
func TestTraceReadsNoFramesThatWereReturned(t *testing.T) {
	bubble(func(t *testing.T) {
		var log recorder
		s := newBareSession(t, &Options{Backend: &recorder{}, Trace: &Trace{
			Answered: func(_ *Session, frames, bytes int) { log.note("answered %d, %d bytes", frames, bytes) },
		}}, testParams)
		st := openStream(t, s, "s")
		st.TrySend([]byte("abc"))
		answers := 0
		var again func(r Response)
		again = func(r Response) {
			if answers++; answers > 1 {
				return
			}
			s.PullFunc(Pull{After: r.Last(), Wait: time.Minute, Again: true}, again)
			s.Ack(r.Last())
		}
		s.PullFunc(Pull{Wait: time.Minute, Again: true}, again)
		log.want(t, "the frame that was written", "answered 1, 3 bytes")
	})(t)
}

// Whoever is called may call the session: no lock is held.
func TestNoLockIsHeldWhileOthersRun(t *testing.T) {
	use := func(s *Session) { // anything that takes the session's lock, and the manager's
		s.Err()
		s.Done()
		s.Ack(0)
		s.manager.Stats()
		s.manager.Lookup(context.Background(), s.ID())
	}
	var calls sync.Map
	called := func(who string, s *Session) {
		calls.Store(who, true)
		use(s)
	}
	bubble(func(t *testing.T) {
		b := &recorder{
			onOpen:    func(_ context.Context, st *Stream) error { called("Open", st.Session()); return st.TrySend(nil) },
			onReceive: func(st *Stream, p []byte) error { called("Receive", st.Session()); return st.TrySend(p) },
			onClose:   func(st *Stream, _ error) { called("Close", st.Session()); st.Close(nil) },
		}
		s := newBareSession(t, &Options{Backend: b, Trace: &Trace{
			SessionStarted: func(s *Session) { called("SessionStarted", s) },
			SessionEnded:   func(s *Session, _ *Termination) { called("SessionEnded", s); s.Terminate(nil) },
			Answered:       func(s *Session, _, _ int) { called("Answered", s) },
			Accepted:       func(s *Session, _, _ int) { called("Accepted", s) },
		}}, testParams)
		st := openStream(t, s, "s")
		s.PullFunc(Pull{}, func(Response) { called("PullFunc", s); st.TrySend([]byte("from a reply")) })
		s.ExchangeFunc(Request{Seq: 1, Frames: frames("a")}, func(Response) {
			called("ExchangeFunc", s)
			s.ExchangeFunc(Request{Seq: 2}, func(Response) { called("ExchangeFunc", s) })
		})
		synctest.Wait()
		s.Terminate(nil)
		synctest.Wait()
	})(t)
	for _, who := range []string{
		"Open", "Receive", "Close", "PullFunc", "ExchangeFunc",
		"SessionStarted", "SessionEnded", "Answered", "Accepted",
	} {
		if _, ok := calls.Load(who); !ok {
			t.Errorf("%s was not called", who)
		}
	}
}
