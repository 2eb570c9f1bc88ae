package longpoll_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

var bubble = pushtest.Bubble

func wantMessages(t *testing.T, rule string, o pushtest.Object, first uint64, messages ...string) {
	t.Helper()
	if o.First != first || !slices.Equal(o.Strings(), messages) {
		t.Errorf("%s: got messages %v from %d, want %v from %d", rule, o.Strings(), o.First, messages, first)
	}
}

func TestCreation(t *testing.T) {
	t.Run("the answer has all that the client needs", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{})
		status, o := s.Post("/push", `{"wait":10}`)
		if status != http.StatusCreated || o.Session == "" || len(o.Key) < 22 || o.Wait != 10 || o.Ping != 25 ||
			o.First != 1 || o.Limits["body"] != push.DefaultMaxBody || o.Limits["window"] != push.DefaultWindow {
			t.Errorf("got %d %+v", status, o)
		}
	}))
	t.Run("messages may come with it", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{})
		_, o := s.Post("/push", `{"messages":["a","b"]}`)
		if o.Ack != 2 {
			t.Errorf("acknowledged %d", o.Ack)
		}
		synctest.Wait()
		_, o = s.Post("/push", `{"session":"`+o.Session+`","key":"`+o.Key+`","attach":1}`)
		wantMessages(t, "echoed", o, 1, `"a"`, `"b"`)
	}))
	t.Run("an unknown backend is not found", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{Backend: transport.Mux{"chat": pushtest.Echo}})
		status, o := s.Post("/push", `{"to":"nowhere"}`)
		if status != http.StatusNotFound || o.Error.Code != "not-found" {
			t.Errorf("got %d %+v", status, o.Error)
		}
		if n := s.Manager.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are left over", n)
		}
	}))
	t.Run("more sessions than allowed are put off", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{Max: 1})
		s.Create()
		resp, o := s.Do(s.Request("POST", "/push", `{}`))
		if resp.StatusCode != http.StatusServiceUnavailable || o.Error.Code != "unavailable" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %+v", resp.StatusCode, o.Error)
		}
	}))
}

func TestPoll(t *testing.T) {
	t.Run("with nothing to say it is held, for just its wait", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		for _, p := range []struct {
			members string
			held    time.Duration
		}{
			{`"attach":1`, 25 * time.Second},
			{`"attach":2,"wait":3`, 3 * time.Second},
			{`"attach":3,"wait":0`, 0},
			{`"attach":4,"wait":600`, 25 * time.Second},
		} {
			start := time.Now()
			o := s.Post(p.members)
			if held := time.Since(start); held != p.held || len(o.Messages) > 0 || o.First != 1 {
				t.Errorf("%s: held for %v: %+v", p.members, held, o)
			}
		}
	}))
	t.Run("it is answered as soon as there is something", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		time.AfterFunc(7*time.Second, func() { s.Post(`"first":1,"messages":["late"]`) })
		start := time.Now()
		wantMessages(t, "held poll", s.Post(`"attach":1`), 1, `"late"`)
		if held := time.Since(start); held != 7*time.Second {
			t.Errorf("held for %v", held)
		}
		synctest.Wait() // for the answer to the message
	}))
	t.Run("repeated, it gives the same, until more is acknowledged", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		s.Post(`"first":1,"messages":["a","b"]`)
		synctest.Wait()
		for range 3 {
			wantMessages(t, "same poll", s.Post(`"attach":1`), 1, `"a"`, `"b"`)
		}
		wantMessages(t, "one acknowledged", s.Post(`"attach":2,"ack":1`), 2, `"b"`)
		wantMessages(t, "all acknowledged", s.Post(`"attach":3,"ack":2,"wait":0`), 3)
	}))
	t.Run("of several the newest wins", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		older := make(chan pushtest.Object, 1)
		go func() { older <- s.Post(`"attach":1`) }()
		synctest.Wait()
		start := time.Now()
		newer := s.Post(`"attach":2,"wait":5`)
		if o := <-older; !o.Replaced || len(o.Messages) > 0 {
			t.Errorf("the older poll got %+v", o)
		}
		if held := time.Since(start); newer.Replaced || held != 5*time.Second {
			t.Errorf("the newer poll got %+v after %v", newer, held)
		}
	}))
	t.Run("a late copy of an older one steals nothing and rewinds nothing", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		s.Post(`"first":1,"messages":["a"]`)
		synctest.Wait()
		s.Post(`"attach":1`)
		answers := make(chan pushtest.Object, 1)
		go func() { answers <- s.Post(`"attach":2,"ack":1`) }()
		synctest.Wait()
		if o := s.Post(`"attach":1`); !o.Replaced || len(o.Messages) > 0 {
			t.Errorf("the copy got %+v", o)
		}
		s.Post(`"first":2,"messages":["b"]`)
		wantMessages(t, "the newest still waits for", <-answers, 2, `"b"`)
	}))
	t.Run("a late copy of the newest one is served like it", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		s.Post(`"first":1,"messages":["a"]`)
		synctest.Wait()
		s.Post(`"attach":1`)
		s.Post(`"ack":1`) // released
		wantMessages(t, "nothing is left for the copy", s.Post(`"attach":1,"wait":0`), 2)
	}))
	t.Run("a client that goes away costs nothing", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := server.Client.Do(server.Request("POST", "/push", s.Object(`"attach":1`)).WithContext(ctx))
		if err == nil {
			t.Fatal("it did not wait")
		}
		s.Post(`"first":1,"messages":["kept"]`)
		synctest.Wait()
		wantMessages(t, "nothing was spent on the lost poll", s.Post(`"attach":2`), 1, `"kept"`)
	}))
}

func TestMessages(t *testing.T) {
	t.Run("repeats are dropped and acknowledged again", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		for range 3 {
			if o := s.Post(`"first":1,"messages":["a","b"]`); o.Ack != 2 {
				t.Errorf("acknowledged %d", o.Ack)
			}
		}
		s.Post(`"first":2,"messages":["b","c"]`) // overlapping
		synctest.Wait()
		wantMessages(t, "each once", s.Post(`"attach":1`), 1, `"a"`, `"b"`, `"c"`)
	}))
	t.Run("a gap waits, and is not acknowledged", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		if o := s.Post(`"first":2,"messages":["b"]`); o.Ack != 0 {
			t.Errorf("acknowledged %d before the gap was filled", o.Ack)
		}
		if o := s.Post(`"first":1,"messages":["a"]`); o.Ack != 2 {
			t.Errorf("acknowledged %d after the gap was filled", o.Ack)
		}
		synctest.Wait()
		wantMessages(t, "in order", s.Post(`"attach":1`), 1, `"a"`, `"b"`)
	}))
	t.Run("above the window they are refused, and nothing else is harmed", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{Push: push.Options{Window: 4}})
		s := server.Create()
		status, o := server.Post("/push", s.Object(`"first":5,"messages":["e"]`))
		if status != http.StatusConflict || o.Error.Code != "window" || o.Ack != 0 {
			t.Errorf("got %d %+v", status, o)
		}
		if o := s.Post(`"first":1,"messages":["a","b","c","d","e"]`); o.Ack != 5 {
			t.Errorf("acknowledged %d", o.Ack)
		}
	}))
	t.Run("they may come with a poll", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		wantMessages(t, "echoed", s.Post(`"first":1,"messages":["a"],"attach":1`), 1, `"a"`)
	}))
	t.Run("an acknowledgement makes room for the messages that it comes with", bubble(func(t *testing.T) {
		// Room for one message, either way: the echo of the second waits.
		server := pushtest.Start(t, pushtest.Options{Limits: transport.Params{MaxInbox: 1, MaxOutbox: 1}})
		s := server.Create()
		s.Post(`"first":1,"messages":[1]`)
		s.Post(`"first":2,"messages":[2]`)
		if o := s.Post(`"first":3,"messages":[3],"ack":1`); o.Ack != 3 {
			t.Errorf("got %+v", o)
		}
		s.Post(`"end":true`)
	}))
	t.Run("while the backend is behind, the answer is delayed", bubble(func(t *testing.T) {
		slow := transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
			for range in {
				time.Sleep(time.Second)
			}
			return nil
		})
		s := pushtest.Start(t, pushtest.Options{Backend: slow, Limits: transport.Params{MaxInbox: 200}}).Create()
		start := time.Now()
		if o := s.Post(`"first":1,"messages":[1,2,3,4,5,6,7,8]`); o.Ack != 8 {
			t.Errorf("acknowledged %d", o.Ack)
		}
		if waited := time.Since(start); waited < 3*time.Second {
			t.Errorf("answered after %v", waited)
		}
	}))
}

func TestEnd(t *testing.T) {
	t.Run("by the client, after its messages; late requests learn it", bubble(func(t *testing.T) {
		got := make(chan string, 10)
		s := pushtest.Start(t, pushtest.Options{Backend: recorder(got)}).Create()
		held := make(chan pushtest.Object, 1)
		go func() { held <- s.Post(`"attach":1`) }()
		synctest.Wait()
		if o := s.Post(`"first":1,"messages":["last"],"end":true`); o.End == nil || o.End.Code != "normal" || o.End.Retry {
			t.Errorf("the end was answered with %+v", o)
		}
		if o := <-held; o.End == nil {
			t.Errorf("the held poll was answered with %+v", o)
		}
		if p, end := <-got, <-got; p != `"last"` || end != "normal" {
			t.Errorf("the backend got %s, %s", p, end)
		}
		if o := s.Post(`"attach":2`); o.End == nil || o.End.Code != "normal" {
			t.Errorf("a late poll was answered with %+v", o)
		}
		if o := s.Post(`"first":2,"messages":["too late"]`); o.End == nil {
			t.Errorf("late messages were answered with %+v", o)
		}
	}))
	t.Run("by silence, not a moment too early", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		live, err := server.Manager.Lookup(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(60*time.Second - time.Nanosecond)
		if err := live.Err(); err != nil {
			t.Errorf("ended too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if o := s.Post(`"attach":1`); o.End == nil || o.End.Code != "inactive" || !o.End.Retry {
			t.Errorf("a late poll was answered with %+v", o)
		}
		time.Sleep(5 * time.Minute) // nobody remembers
		if status, o := server.Post("/push", s.Object(`"attach":2`)); status != http.StatusGone || o.Error.Code != "gone" {
			t.Errorf("got %d %+v", status, o.Error)
		}
	}))
	t.Run("by the server, with its last messages", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		s.Post(`"first":1,"messages":["last"]`)
		synctest.Wait()
		if err := server.Manager.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		o := s.Post(`"attach":1`)
		wantMessages(t, "before the end", o, 1, `"last"`)
		if o.End == nil || o.End.Code != "shutdown" || !o.End.Retry {
			t.Errorf("the end was told as %+v", o.End)
		}
		if status, o := server.Post("/push", `{}`); status != http.StatusServiceUnavailable {
			t.Errorf("a new session was answered with %d %+v", status, o.Error)
		}
	}))
}

// recorder is a backend that reports what it gets, and its end.
func recorder(got chan<- string) transport.Backend {
	return transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
		for p := range in {
			got <- string(p)
		}
		end := st.Session().Err().(*transport.Termination)
		got <- string(end.Condition)
		return nil
	})
}
