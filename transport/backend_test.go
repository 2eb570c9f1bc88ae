package transport

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOpen(t *testing.T) {
	refused := errors.New("not today")
	failures := []struct {
		name string
		open func(context.Context, *Stream) error
		want Condition
	}{
		{"an error refuses the stream", func(context.Context, *Stream) error { return refused }, BackendError},
		{"a termination refuses it with its own condition", func(context.Context, *Stream) error {
			return &Termination{Condition: Unreachable}
		}, Unreachable},
		{"a panic refuses it", func(context.Context, *Stream) error { panic("oops") }, Internal},
	}
	for _, f := range failures {
		t.Run(f.name, bubble(func(t *testing.T) {
			b := &recorder{}
			s, st := newSession(t, b, testParams)
			b.onOpen = f.open
			_, err := s.Open(t.Context(), "other", "")
			var end *Termination
			if !errors.As(err, &end) || end.Condition != f.want {
				t.Errorf("err = %v, want %s", err, f.want)
			}
			if errors.Is(err, refused) != (f.want == BackendError) {
				t.Errorf("err = %v: the cause is kept", err)
			}
			b.want(t, "a refused stream is not closed", "open s", "open other")
			if wantEnd(t, s, "the session lives", ""); st.TrySend(nil) != nil {
				t.Error("so does its first stream")
			}
			b.onOpen = nil
			openStream(t, s, "other")
		}))
	}
	t.Run("a name is unique in the session", bubble(func(t *testing.T) {
		s, st := newSession(t, &recorder{}, testParams)
		if _, err := s.Open(t.Context(), "s", ""); err != ErrStreamExists {
			t.Errorf("err = %v, want ErrStreamExists", err)
		}
		if st.Name() != "s" || st.Session() != s {
			t.Error("a stream knows its name and its session")
		}
	}))
	t.Run("a session that is over opens nothing", bubble(func(t *testing.T) {
		b := &recorder{}
		s := newBareSession(t, &Options{Backend: b}, testParams)
		s.Terminate(&Termination{Condition: Policy})
		if _, err := s.Open(t.Context(), "s", ""); conditionOf(err) != "policy" {
			t.Errorf("err = %v", err)
		}
		b.want(t, "not asked")
	}))
	t.Run("what is sent during Open reaches the client", bubble(func(t *testing.T) {
		b := &recorder{onOpen: func(ctx context.Context, st *Stream) error { return st.Send(ctx, []byte("welcome")) }}
		s, _ := newSession(t, b, testParams)
		wantFrames(t, pull(t.Context(), s, Pull{}).wantDone(t, "sent"), "welcome", "welcome")
	}))
	t.Run("what comes during Open is received after it", bubble(func(t *testing.T) {
		b := &recorder{onOpen: func(context.Context, *Stream) error { time.Sleep(time.Second); return nil }}
		s := newBareSession(t, &Options{Backend: b}, testParams)
		opened := start(func() (*Stream, error) { return s.Open(t.Context(), "s", "") })
		opened.wantWaiting(t, "the backend takes its time")
		push(t.Context(), s, 1, "a").wantDone(t, "accepted")
		b.want(t, "meanwhile", "open s")
		time.Sleep(time.Second)
		b.want(t, "afterwards", "s receives a")
	}))
	t.Run("what came for a refused stream makes room", bubble(func(t *testing.T) {
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		b.onOpen = func(context.Context, *Stream) error { time.Sleep(time.Second); return refused }
		start(func() (*Stream, error) { return s.Open(t.Context(), "other", "") })
		synctest.Wait()
		s.Push(t.Context(), 1, []Frame{{Stream: "other", Data: []byte(large)}})
		next := push(t.Context(), s, 2, "a")
		next.wantWaiting(t, "no room")
		time.Sleep(time.Second)
		next.wantDone(t, "refused")
	}))
	t.Run("a refused stream takes nothing, and its Close does no harm", bubble(func(t *testing.T) {
		var kept *Stream
		b := &recorder{}
		s, _ := newSession(t, b, testParams)
		b.onOpen = func(_ context.Context, st *Stream) error { kept = st; return refused }
		s.Open(t.Context(), "other", "")
		if err := kept.TrySend(nil); err != ErrStreamClosed {
			t.Errorf("TrySend: %v, want ErrStreamClosed", err)
		}
		kept.Close(nil)
		wantEnd(t, s, "closed by a backend that refused it", "")
	}))
	t.Run("a backend may close the stream during Open", bubble(func(t *testing.T) {
		b := &recorder{onOpen: func(_ context.Context, st *Stream) error { st.Close(nil); return nil }}
		s, _ := newSession(t, b, testParams)
		wantEnd(t, s, "it was the only one", Normal)
		b.want(t, "closed once", "open s", "close s: normal")
	}))
	for _, err := range []error{nil, refused} {
		t.Run("the session ends during Open", bubble(func(t *testing.T) {
			b := &recorder{onOpen: func(context.Context, *Stream) error { time.Sleep(time.Second); return err }}
			s := newBareSession(t, &Options{Backend: b}, testParams)
			opened := start(func() (*Stream, error) { return s.Open(t.Context(), "s", "") })
			opened.wantWaiting(t, "the backend takes its time")
			s.Terminate(&Termination{Condition: Policy})
			b.want(t, "not while it is at it", "open s")
			time.Sleep(time.Second)
			if opened.wantDone(t, "at the end"); err == nil {
				b.want(t, "closed once", "close s: policy")
			} else {
				b.want(t, "there is nothing to close")
			}
			if err := s.manager.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}))
	}
}

type key struct{}

func TestContextOfAStream(t *testing.T) {
	setup := func(t *testing.T) (*Session, context.Context) {
		var got context.Context
		b := &recorder{onOpen: func(ctx context.Context, _ *Stream) error { got = ctx; return nil }}
		s := newBareSession(t, &Options{Backend: b}, testParams)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "alice"))
		s.Open(ctx, "s", "")
		cancel() // the request that opened the stream is over
		return s, got
	}
	t.Run("has the values of the request, not its end", bubble(func(t *testing.T) {
		_, ctx := setup(t)
		if ctx.Value(key{}) != "alice" {
			t.Error("the value is lost")
		}
		if _, limited := ctx.Deadline(); limited || ctx.Err() != nil {
			t.Errorf("err = %v, the session lives", ctx.Err())
		}
	}))
	t.Run("is cancelled with the session", bubble(func(t *testing.T) {
		s, ctx := setup(t)
		child, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		s.Terminate(nil)
		<-ctx.Done()
		<-child.Done()
		if ctx.Err() != context.Canceled || child.Err() != context.Canceled {
			t.Errorf("errors are %v, %v", ctx.Err(), child.Err())
		}
	}))
	t.Run("also if nobody asked for Done before", bubble(func(t *testing.T) {
		s, ctx := setup(t)
		s.Terminate(nil)
		<-ctx.Done()
	}))
}

func TestMuxChoosesByTarget(t *testing.T) {
	open := func(t *testing.T, m Mux, target string) error {
		s := newBareSession(t, &Options{Backend: m}, testParams)
		st, err := s.Open(t.Context(), "s", target)
		if err == nil && st.Target() != target {
			t.Errorf("target = %q, want %q", st.Target(), target)
		}
		return err
	}
	t.Run("the backend of that name", bubble(func(t *testing.T) {
		chat, other := &recorder{}, &recorder{}
		if err := open(t, Mux{"chat": chat, "": other}, "chat"); err != nil {
			t.Fatal(err)
		}
		chat.want(t, "chosen", "open s")
		other.want(t, "not chosen")
	}))
	t.Run("else the default", bubble(func(t *testing.T) {
		other := &recorder{}
		if err := open(t, Mux{"chat": &recorder{}, "": other}, "news"); err != nil {
			t.Fatal(err)
		}
		other.want(t, "chosen", "open s")
	}))
	t.Run("without a default an unknown target is refused", bubble(func(t *testing.T) {
		if err := open(t, Mux{"chat": &recorder{}}, "news"); conditionOf(err) != string(HostUnknown) {
			t.Errorf("err = %v, want HostUnknown", err)
		}
	}))
	t.Run("without options everything is refused", bubble(func(t *testing.T) {
		s := newBareSession(t, nil, Params{})
		if _, err := s.Open(t.Context(), "s", ""); conditionOf(err) != string(HostUnknown) {
			t.Errorf("err = %v, want HostUnknown", err)
		}
	}))
	t.Run("streams of one session talk to several backends", bubble(func(t *testing.T) {
		chat, news := &recorder{}, &recorder{}
		s := newBareSession(t, &Options{Backend: Mux{"chat": chat, "news": news}}, testParams)
		s.Open(t.Context(), "1", "chat")
		s.Open(t.Context(), "2", "news")
		s.Push(t.Context(), 1, []Frame{{Stream: "1", Data: []byte("a")}, {Stream: "2", Data: []byte("b")}})
		chat.want(t, "its own", "open 1", "1 receives a")
		news.want(t, "its own", "open 2", "2 receives b")
	}))
}

func TestServe(t *testing.T) {
	type in = <-chan []byte
	t.Run("echo, until the client is done", bubble(func(t *testing.T) {
		var ended error
		s, _ := newSession(t, Serve(func(ctx context.Context, st *Stream, in in) error {
			for p := range in {
				if err := st.Send(ctx, p); err != nil {
					return err
				}
			}
			ended = ctx.Err()
			return nil
		}), testParams)
		push(t.Context(), s, 1, "a", "b").wantDone(t, "accepted")
		wantFrames(t, pull(t.Context(), s, Pull{}).wantDone(t, "echo"), "echo", "a", "b")
		s.Terminate(nil)
		if synctest.Wait(); ended != context.Canceled {
			t.Errorf("the context of a stream that is over says %v", ended)
		}
	}))
	ends := []struct {
		name string
		f    func(context.Context, *Stream, in) error
		want Condition
	}{
		{"returning nil ends the stream normally", func(context.Context, *Stream, in) error { return nil }, Normal},
		{"returning an error ends it with that", func(context.Context, *Stream, in) error { return errors.New("oops") }, BackendError},
		{"returning a termination ends it with its condition", func(context.Context, *Stream, in) error {
			return &Termination{Condition: Moved, URI: "elsewhere"}
		}, Moved},
		{"a panic ends the session", func(context.Context, *Stream, in) error { panic("oops") }, Internal},
	}
	for _, e := range ends {
		t.Run(e.name, bubble(func(t *testing.T) {
			s, _ := newSession(t, Serve(e.f), testParams)
			wantEnd(t, s, "the function returned", e.want)
		}))
	}
	t.Run("a function that does not read holds nobody up at the end", bubble(func(t *testing.T) {
		s, _ := newSession(t, Serve(func(ctx context.Context, _ *Stream, _ in) error { <-ctx.Done(); return nil }), testParams)
		push(t.Context(), s, 1, "a", "b").wantDone(t, "accepted")
		s.Terminate(nil)
		if err := s.manager.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}))
	t.Run("frames that wait when the function returns are dropped", bubble(func(t *testing.T) {
		s, _ := newSession(t, Serve(func(_ context.Context, _ *Stream, in in) error { <-in; return nil }), testParams)
		openStream(t, s, "other")
		push(t.Context(), s, 1, "a", "b", "c").wantDone(t, "accepted")
		wantEnd(t, s, "all streams returned", Normal)
	}))
}

func TestTerminationSpeaks(t *testing.T) {
	cause := errors.New("disk on fire")
	end := &Termination{Condition: Internal, Text: "sorry", Err: cause}
	if got := end.Error(); !strings.Contains(got, "internal") || !strings.Contains(got, "sorry") || !strings.Contains(got, "disk") {
		t.Errorf("Error() = %q", got)
	}
	if !errors.Is(end, cause) {
		t.Error("the cause can be found")
	}
	for c, want := range map[Condition]bool{Normal: false, BadRequest: false, HostUnknown: false, HostGone: false, Shutdown: true, Inactive: true} {
		if c.Retry() != want {
			t.Errorf("%s: retry = %v", c, !want)
		}
	}
}
